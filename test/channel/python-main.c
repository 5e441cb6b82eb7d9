/* bin/python3.11 of the test channel: CPython's own main (Modules/main.c, Py_BytesMain), with the prefix compiled in as conda-forge's
   python has it: sys.prefix does not depend on where argv[0] points. SITE_CODE is the stdlib's site module, for Debian's frozen one
   looks for dist-packages. */
#include <Python.h>

/* Longer than any prefix: the linker of conda packages overwrites it and fills up with NUL. Volatile, or the compiler keeps its length. */
static volatile char prefix[] = PLACEHOLDER;

static const unsigned char site_code[] = {
#include SITE_CODE
};
/* Looked at before the modules frozen into libpython (Python/import.c, look_up_frozen). */
static const struct _frozen frozen[] = {{"site", site_code, sizeof site_code, 0, NULL}, {NULL, NULL, 0, 0, NULL}};

int main(int argc, char **argv)
{
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    PyImport_FrozenModules = frozen;
    /* Arguments first: they decide about UTF-8 mode and isolation, which decoding the prefix needs. */
    PyStatus status = PyConfig_SetBytesArgv(&config, argc, argv);
    /* The base prefixes follow from these (Modules/getpath.py); PYTHONHOME and pyvenv.cfg still count. */
    if (!PyStatus_Exception(status))
        status = PyConfig_SetBytesString(&config, &config.prefix, (const char *)prefix);
    if (!PyStatus_Exception(status))
        status = PyConfig_SetBytesString(&config, &config.exec_prefix, (const char *)prefix);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status)) {
        if (PyStatus_IsExit(status))
            return status.exitcode;
        Py_ExitStatusException(status);
    }
    return Py_RunMain();
}
