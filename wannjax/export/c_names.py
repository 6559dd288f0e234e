"""Names that a function in C cannot have: keywords of C and C++, names of the C library, and what
implementations keep for themselves. To forbid more of them, add to the texts below.
"""

import re

_KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class co_await co_return co_yield
compl concept const const_cast consteval constexpr constinit continue decltype default delete do double dynamic_cast else enum explicit
export extern false float for friend goto if inline int long main mutable namespace new noexcept not not_eq nullptr operator or or_eq
private protected public register reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct
switch template this thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using virtual void volatile
wchar_t while xor xor_eq
"""
"""Of C23 and C++20; and `main`, whose type is given."""

_MATHS = """
acos acosh acospi asin asinh asinpi atan atan2 atan2pi atanh atanpi canonicalize cbrt ceil compoundn copysign cos cosh cospi daddl ddivl
dfmal dmull drem dsqrtl dsubl erf erfc exp exp10 exp10m1 exp2 exp2m1 expm1 fabs fadd fdim fdiv ffma finite floor fma fmax fmaximum
fmaximum_mag fmaximum_mag_num fmaximum_num fmaxmag fmin fminimum fminimum_mag fminimum_mag_num fminimum_num fminmag fmod fmul fpclassify
frexp fromfp fromfpx fsqrt fsub gamma getpayload hypot ilogb iscanonical iseqsig isfinite isgreater isgreaterequal isinf isless
islessequal islessgreater isnan isnormal issignaling issubnormal isunordered iszero j0 j1 jn ldexp lgamma llogb llrint llround log log10
log10p1 log1p log2 log2p1 logb logp1 lrint lround modf nan nearbyint nextafter nextdown nexttoward nextup pow pow10 pown powr remainder
remquo rint rootn round roundeven rsqrt scalb scalbln scalbn setpayload setpayloadsig signbit significand signgam sin sincos sinh sinpi
sqrt tan tanh tanpi tgamma totalorder totalordermag trunc ufromfp ufromfpx y0 y1 yn double_t float_t math_errhandling
"""
"""Of <math.h>, which has most of them also with the letters of a type behind."""

_LIBRARY = """
abort abs asctime assert at_quick_exit atexit atof atoi atol atoll bsearch calloc clearerr clock ctime difftime div errno exit fclose feof
ferror fflush fgetc fgetpos fgets fopen fprintf fputc fputs fread free freopen fscanf fseek fsetpos ftell fwrite getc getchar getenv gets
gmtime isalnum isalpha isblank iscntrl isdigit isgraph islower isprint ispunct isspace isupper isxdigit labs ldiv linux llabs lldiv
localeconv localtime longjmp malloc mblen mbstowcs mbtowc memchr memcmp memcpy memmove memset mktime perror printf putc putchar puts qsort
quick_exit raise rand realloc remove rename rewind scanf setbuf setjmp setlocale setvbuf signal snprintf sprintf srand sscanf stderr stdin
stdout strcat strchr strcmp strcoll strcpy strcspn strerror strftime strlen strncat strncmp strncpy strpbrk strrchr strspn strstr strtod
strtof strtok strtol strtold strtoll strtoul strtoull strxfrm system time tmpfile tmpnam tolower toupper ungetc unix va_arg va_copy va_end
va_start vfprintf vfscanf vprintf vscanf vsnprintf vsprintf vsscanf wcstombs wctomb
"""
"""Of the rest of the library that C89 to C99 name, and what compilers define."""

_TAKEN = {*_KEYWORDS.split(), *_LIBRARY.split()}
_OF_MATHS = re.compile(rf"({'|'.join(_MATHS.split())})(f|l|f\d+x?|d\d+x?)?(_r)?|f\d+x?[a-z]+f\d+x?")
_RESERVED = re.compile(r"_.*|.*__.*|(M|FP|MATH|HUGE|FLT|DBL|LDBL|SNAN)_?[A-Z0-9_]+|INFINITY|NAN|NULL|EOF")
"""Names that start with `_`, or have two of them side by side, and macros."""


def is_free(name: str) -> bool:
    """Whether a function of this name can stand in a C program, and be called from C++."""
    is_identifier = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None
    return is_identifier and name not in _TAKEN and not _OF_MATHS.fullmatch(name) and not _RESERVED.fullmatch(name)
