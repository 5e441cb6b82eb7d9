# Becomes a program with exactly the given bytes, which Node cannot do: it encodes every string as UTF-8.
# Standard input: lines of a letter and hex: p program, z argv[0], a argument, e NAME=VALUE, i file for standard input.
use strict;
my ($program, $zero, @arguments, %environment, $input);
while (my $line = <STDIN>) {
  chomp $line;
  my ($letter, $bytes) = (substr($line, 0, 1), pack('H*', substr($line, 1)));
  if ($letter eq 'p') { $program = $bytes }
  elsif ($letter eq 'z') { $zero = $bytes }
  elsif ($letter eq 'a') { push @arguments, $bytes }
  elsif ($letter eq 'i') { $input = $bytes }
  elsif ($letter eq 'e') { my ($name, $value) = split /=/, $bytes, 2; $environment{$name} = $value }
}
open(STDIN, '<', $input // '/dev/null');
%ENV = %environment;
exec { $program } (defined $zero ? $zero : $program), @arguments;
print STDERR "start.pl: $program: $!\n";
exit 99;
