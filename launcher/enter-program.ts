// `enter`: the last step of a common command into a session, for x86-64: setns(2) twice, chdir(2), execve(2). nsenter(1)
// cannot set argv[0], so that behind it a bash would have to, and these two take longer than all else that the launcher
// does. Written out here because nothing that compiles is needed to build condense; enter-program.test.ts has the
// assembler's word that the bytes are what is said beside them. Where it is missing, nsenter and bash do the same.

/** Bytes, and the same for `as`. One instruction each, with the labels before it. */
export const ENTER_INSTRUCTIONS: readonly (readonly [bytes: string, text: string])[] = [
  ['4889e3', 'mov rbx, rsp'], // argc, the arguments, 0, the environment, 0
  ['8b03', 'mov eax, [rbx]'],
  ['83f80b', 'cmp eax, 11'], // called by hand
  ['7267', 'jb leave'],
  ['4c8d64c310', 'lea r12, [rbx + rax * 8 + 16]'], // the environment
  ['488b7310', 'mov rsi, [rbx + 16]'],
  ['41b800000010', 'mov r8d, 0x10000000'], // CLONE_NEWUSER
  ['e85f000000', 'call join'],
  ['488b7318', 'mov rsi, [rbx + 24]'],
  ['41b800000200', 'mov r8d, 0x20000'], // CLONE_NEWNS
  ['e850000000', 'call join'],
  ['488b7b40', 'mov rdi, [rbx + 64]'], // the working directory
  ['b850000000', 'mov eax, 80'], // chdir
  ['0f05', 'syscall'],
  ['85c0', 'test eax, eax'],
  ['7523', 'jnz otherwise'],
  ['488b7b48', 'mov rdi, [rbx + 72]'], // the marker
  ['31f6', 'xor esi, esi'], // F_OK
  ['b815000000', 'mov eax, 21'], // access
  ['0f05', 'syscall'],
  ['85c0', 'test eax, eax'],
  ['7512', 'jnz otherwise'],
  ['488b7b50', 'mov rdi, [rbx + 80]'], // the program
  ['488d7358', 'lea rsi, [rbx + 88]'], // its argv[0] and arguments
  ['4c89e2', 'mov rdx, r12'],
  ['b83b000000', 'mov eax, 59'], // execve
  ['0f05', 'syscall'],
  ['488b7b20', 'otherwise: mov rdi, [rbx + 32]'], // bash
  ['488d7320', 'lea rsi, [rbx + 32]'],
  ['4c89e2', 'mov rdx, r12'],
  ['b83b000000', 'mov eax, 59'], // execve
  ['0f05', 'syscall'],
  ['bf7e000000', 'leave: mov edi, 126'],
  ['b83c000000', 'mov eax, 60'], // exit
  ['0f05', 'syscall'],
  ['31ff', 'join: xor edi, edi'],
  ['0fb606', 'digit: movzx eax, byte ptr [rsi]'],
  ['84c0', 'test al, al'],
  ['740c', 'jz joined'],
  ['6bff0a', 'imul edi, edi, 10'], // a number in digits
  ['8d7c07d0', 'lea edi, [rdi + rax - 48]'],
  ['48ffc6', 'inc rsi'],
  ['ebed', 'jmp digit'],
  ['4489c6', 'joined: mov esi, r8d'],
  ['b834010000', 'mov eax, 308'], // setns
  ['0f05', 'syscall'],
  ['85c0', 'test eax, eax'],
  ['75bf', 'jnz otherwise'],
  ['b803000000', 'mov eax, 3'], // close
  ['0f05', 'syscall'],
  ['c3', 'ret'],
];

const HEADER_BYTES = 64 + 2 * 56;
const ADDRESS = 0x400000n;

/**
 * An executable that joins what a waiting session holds, and becomes a program there with the caller's environment as it is.
 * Its arguments: the descriptors of the user and of the mount namespace, which it closes; four words that start a shell;
 * the working directory; a file that must be there; the program; its argv[0] and arguments. Where any of it cannot be,
 * it becomes that shell, with all that follows as the shell's arguments: that one says why.
 */
export function renderEnterProgram(): Uint8Array {
  const code = Buffer.from(ENTER_INSTRUCTIONS.map(([bytes]) => bytes).join(''), 'hex');
  const header = Buffer.alloc(HEADER_BYTES); // elf(5)
  header.write('\x7fELF\x02\x01\x01', 'latin1'); // 64 bits, the least byte first
  header.writeUInt16LE(2, 16); // ET_EXEC
  header.writeUInt16LE(62, 18); // EM_X86_64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(ADDRESS + BigInt(HEADER_BYTES), 24); // where it starts
  header.writeBigUInt64LE(64n, 32); // the segments, as many, of such a size:
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(2, 56);
  const size = BigInt(HEADER_BYTES + code.length);
  header.writeUInt32LE(1, 64); // PT_LOAD: the whole file, to read and execute
  header.writeUInt32LE(5, 68);
  header.writeBigUInt64LE(ADDRESS, 80);
  header.writeBigUInt64LE(ADDRESS, 88);
  header.writeBigUInt64LE(size, 96);
  header.writeBigUInt64LE(size, 104);
  header.writeBigUInt64LE(4096n, 112);
  header.writeUInt32LE(0x6474e551, 120); // PT_GNU_STACK: nothing on the stack is executed
  header.writeUInt32LE(6, 124);
  return Buffer.concat([header, code]);
}
