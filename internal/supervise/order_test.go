//go:build linux

package supervise

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// Both streams go to one file, as to a terminal.
func TestWhatIsWrittenToBothStreamsKeepsItsOrder(t *testing.T) {
	alternating := func(n int) string {
		var want strings.Builder
		for i := range n {
			fmt.Fprintf(&want, "out %d\nerr %d\n", i, i)
		}
		return want.String()
	}
	tests := map[string]struct {
		command []string
		want    string
	}{
		"a shell, line by line": {shell(`i=0; while [ $i -lt 3000 ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); done`), alternating(3000)},
		"perl, line by line":    {perl(`$| = 1; for my $i (0 .. 9999) { print "out $i\n"; print STDERR "err $i\n" }`), alternating(10000)},
		"several processes":     {shell(`for i in $(seq 0 199); do (echo "out $i"); (echo "err $i" >&2); done`), alternating(200)},
		"many lines, then one": {
			perl(`$| = 1; for my $i (0 .. 20) { print "out $i\n" for 1 .. 500; print STDERR "err $i\n" }`),
			func() string {
				var want strings.Builder
				for i := range 21 {
					want.WriteString(strings.Repeat(fmt.Sprintf("out %d\n", i), 500) + fmt.Sprintf("err %d\n", i))
				}
				return want.String()
			}(),
		},
		"large blocks": {
			perl(`for my $i (0 .. 20) { syswrite STDOUT, "o" x 10000; syswrite STDERR, "e" x 5000 }`),
			strings.Repeat(strings.Repeat("o", 10000)+strings.Repeat("e", 5000), 21),
		},
		"the last word": {shell(`echo out; echo err >&2; echo out; kill -9 $$`), "out\nerr\nout\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := run(t, settings{}, test.command, func(cmd *exec.Cmd) { cmd.Stderr = cmd.Stdout })
			if got.stdout != test.want {
				at := 0
				for at < min(len(got.stdout), len(test.want)) && got.stdout[at] == test.want[at] {
					at++
				}
				t.Errorf("%d bytes, want %d; from byte %d on %.60q, want %.60q", len(got.stdout), len(test.want), at, got.stdout[at:], test.want[at:])
			}
		})
	}
}

// A stream that is alone for long may run ahead, and loses nothing of its order with the other one later.
func TestOrderReturnsAfterMuchOutput(t *testing.T) {
	got := run(t, settings{}, perl(`
		$| = 1;
		print "x" x 3_000_000;
		print "\n$_\n" for 1 .. 10_000;
		print STDERR "now\n";
		select undef, undef, undef, .1;
		for my $i (0 .. 999) { print "out $i\n"; print STDERR "err $i\n" }`), func(cmd *exec.Cmd) { cmd.Stderr = cmd.Stdout })
	_, after, _ := strings.Cut(got.stdout, "now\n")
	var want strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&want, "out %d\nerr %d\n", i, i)
	}
	if after != want.String() {
		t.Errorf("%d bytes come after, want %d: %.80q…", len(after), want.Len(), after)
	}
}

// A program that has made its output nonblocking may fail where the pipe is full, and so may all that share it.
func TestANonblockingCommandHasRoomToRunAhead(t *testing.T) {
	got := run(t, settings{}, perl(`
		use Fcntl;
		fcntl STDOUT, F_SETFL, O_WRONLY | O_NONBLOCK or die;
		syswrite STDOUT, "first\n";
		select undef, undef, undef, .2;
		for (1 .. 100) { defined syswrite STDOUT, "$_\n" or die "write $_: $!" }`))
	if got.code != 0 || !strings.HasSuffix(got.stdout, "\n100\n") {
		t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
	}
}
