/* Stands for a runtime with a setuid starter: mounts as root, in a mount namespace and without a user namespace, gives up
 * its privilege and becomes the program. It mounts no image but what was unpacked from it (TREE), and nothing else. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *what) {
  perror(what);
  return 255;
}

int main(int argc, char **argv) {
  int at = 1;
  while (at < argc && strcmp(argv[at], "/bin/bash") != 0) at++;
  if (at == argc) return fail("no program");
  if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) return fail("namespace");
  if (mount("none", "/opt", "tmpfs", 0, "mode=755") || mkdir("/opt/conda", 0755)) return fail("/opt");
  if (mount(TREE "/opt/conda", "/opt/conda", NULL, MS_BIND, NULL)) return fail(TREE);
  if (setresgid(getgid(), getgid(), getgid()) || setresuid(getuid(), getuid(), getuid())) return fail("privilege");
  execv(argv[at], argv + at);
  return fail(argv[at]);
}
