# Prints what the kernel keeps of this process, as JSON with every byte in hex. Run by a copy of perl that stands in the
# image under other names: a binary, so that argv[0] can be seen, and one that leaves its environment alone.
use strict;
my $h = sub { '"' . unpack('H*', $_[0]) . '"' };
my $read = sub { open(my $f, '<:raw', "/proc/self/$_[0]") or return ''; local $/; my $t = <$f>; close $f; defined $t ? $t : '' };
my $list = sub { '[' . join(',', map { $h->($_) } @_) . ']' };
my ($cmdline, $environ, $status, $limits) = map { $read->($_) } qw(cmdline environ status limits);
opendir(my $d, '/proc/self/fd');
# The last one is this listing itself.
my @fds = grep { /^\d+$/ && defined readlink("/proc/self/fd/$_") && readlink("/proc/self/fd/$_") !~ m{^/proc/\d+/fd$} } readdir $d;
closedir $d;
my %status = $status =~ /^(Umask|SigBlk|SigIgn|NoNewPrivs):\s*(\S+)/mg;
my ($nofile) = $limits =~ /^Max open files\s+(\S+)/m;
my ($stack) = $limits =~ /^Max stack size\s+(\S+)/m;
my ($core) = $limits =~ /^Max core file size\s+(\S+)/m;
print '{"argv":', $list->(split /\0/, $cmdline, -1), ',"environ":', $list->(split /\0/, $environ),
  ',"cwd":', $h->(readlink('/proc/self/cwd') // ''), ',"fds":[', join(',', sort { $a <=> $b } @fds), ']',
  ',"pid":', $$, ',"ppid":', getppid(), ',"limits":', $list->($nofile, $stack, $core),
  ',"status":', $list->(map { $status{$_} } qw(Umask SigBlk SigIgn)), "}\n";
