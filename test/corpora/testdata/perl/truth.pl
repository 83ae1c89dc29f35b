# Runs test files with TAP::Harness, and prints passed/failing/skipped: a todo that fails is skipped, and a file that has
# something wrong beside its tests is a failing one more, unless the first argument is --tests.
use strict; use warnings;
use TAP::Harness;

my $tests_only = $ARGV[0] eq '--tests' && shift;

open my $stdout, '>&', \*STDOUT or die $!;
open STDOUT, '>', '/dev/null' or die $!;
open STDERR, '>', '/dev/null' or die $!;
my $aggregate = TAP::Harness->new({ verbosity => -3 })->runtests(map { -d $_ ? glob("$_/*.t") : $_ } @ARGV);
my ($passed, $failing, $skipped) = (0, 0, 0);
for my $parser ($aggregate->parsers($aggregate->descriptions)) {
    my %ok = map { $_ => 1 } $parser->actual_passed;
    my %skipped = map { $_ => 1 } $parser->skipped, grep { !$ok{$_} } $parser->todo;
    $skipped += keys %skipped;
    $skipped++ if $parser->skip_all;
    $failing += $parser->failed;
    $passed += grep { !$skipped{$_} } $parser->passed;
    $failing++ if !$tests_only && $parser->has_problems && !$parser->failed;
}
print $stdout "$passed/$failing/$skipped\n";
