// The names of MPI's libraries, by implementation and side.

/** Open MPI: libmpi_mpifh, libmpi_usempi*; MPICH and its kin: libmpifort, libmpichfort; older ones: libmpi_f77, libmpi_f90. */
const FORTRAN = /^lib(mpi_mpifh|mpi_usempi|mpi_f\d|mpifort|mpichfort|mpichf\d)/;
/** libmpi.so.40, libmpich.so.12, libmpi_cray.so.12 */
const C = /^lib(mpi|mpich|mpi_(gnu|intel|cray|nvidia|aocc|pgi)\w*)\.so/;
/** Run-time libraries of Fortran compilers: gfortran, ifort and ifx, flang, nvfortran. */
const RUNTIME = /^lib(gfortran|ifcore\w*|flang\w*|FortranRuntime|nvf|pgf90)\.so/;

export const isMpiFortran = (soname: string): boolean => FORTRAN.test(soname);
export const isMpiC = (soname: string): boolean => C.test(soname);
export const isOfMpi = (soname: string): boolean => isMpiFortran(soname) || isMpiC(soname);
export const isFortranRuntime = (soname: string): boolean => RUNTIME.test(soname);
