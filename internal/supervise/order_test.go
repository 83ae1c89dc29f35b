//go:build linux

package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Both streams go to one file, as to a terminal. A command may be far ahead of the supervisor, by almost as many writes as its pipes
// have pages.
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
		"a shell, line by line": {shell(`i=0; while [ $i -lt 120 ]; do echo "out $i"; echo "err $i" >&2; i=$((i+1)); done`), alternating(120)},
		"perl, line by line":    {perl(`$| = 1; for my $i (0 .. 239) { print "out $i\n"; print STDERR "err $i\n" }`), alternating(240)},
		"several processes":     {shell(`for i in $(seq 0 199); do (echo "out $i"); (echo "err $i" >&2); done`), alternating(200)},
		"many lines, then one": {
			perl(`$| = 1; for my $i (0 .. 20) { print "out $i\n" for 1 .. 12; print STDERR "err $i\n" }`),
			func() string {
				var want strings.Builder
				for i := range 21 {
					want.WriteString(strings.Repeat(fmt.Sprintf("out %d\n", i), 12) + fmt.Sprintf("err %d\n", i))
				}
				return want.String()
			}(),
		},
		"large blocks": {
			perl(`for my $i (0 .. 20) { syswrite STDOUT, "o" x 10000; syswrite STDERR, "e" x 5000 }`),
			strings.Repeat(strings.Repeat("o", 10000)+strings.Repeat("e", 5000), 21),
		},
		"made nonblocking": {
			perl(`
				use Fcntl;
				$| = 1;
				fcntl $_, F_SETFL, fcntl($_, F_GETFL, 0) | O_NONBLOCK or die for *STDOUT, *STDERR;
				for my $i (0 .. 99) { print "out $i\n"; print STDERR "err $i\n" }`),
			alternating(100),
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

// When the pipes were full, and have become empty, the order is as it was. So it is after a stream was alone for long.
func TestOrderReturnsAfterMuchOutput(t *testing.T) {
	for name, much := range map[string]string{
		"of one stream": `
			print "x" x 3_000_000;
			print "\n$_\n" for 1 .. 10_000;`,
		"of both": `for (1 .. 10_000) { print "out $_\n"; print STDERR "err $_\n" }`,
	} {
		t.Run(name, func(t *testing.T) {
			question, answer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer question.Close()
			defer answer.Close()
			p := start(t, settings{}, perl(`$| = 1; `+much+`
				print STDERR "now\n";
				<STDIN>;
				for my $i (0 .. 99) { print "out $i\n"; print STDERR "err $i\n" }`), func(cmd *exec.Cmd) { cmd.Stdin, cmd.Stderr = question, cmd.Stdout })
			for range 20_001 {
				p.line()
			}
			if _, err := answer.WriteString("go on\n"); err != nil {
				t.Fatal(err)
			}
			var want strings.Builder
			for i := range 100 {
				fmt.Fprintf(&want, "out %d\nerr %d\n", i, i)
			}
			if got := p.end(); got.stdout != want.String() {
				t.Errorf("%d bytes come after, want %d: %.80q…", len(got.stdout), want.Len(), got.stdout)
			}
		})
	}
}

// However fast both streams come, nothing of either is lost, and each keeps its own order.
func TestAFloodOnBothStreamsIsWhole(t *testing.T) {
	const script = `$| = 1; for my $i (0 .. 19_999) { print "out $i\n"; print STDERR "err $i\n" }`
	got := run(t, settings{}, perl(script))
	if out, err := output(t, perl(script)); got.stdout != out || got.stderr != err {
		t.Errorf("%d and %d bytes, want %d and %d", len(got.stdout), len(got.stderr), len(out), len(err))
	}
}

// A program that has made its output nonblocking, as Node.js does, loses what it could not write when it exits.
func TestANonblockingCommandHasRoomToRunAhead(t *testing.T) {
	for name, before := range map[string]string{
		"from the beginning":  "",
		"after another one":   `for i in $(seq 300); do echo "$i"; done;`,
		"and after much more": `head -c 3000000 /dev/zero; echo err >&2; echo;`,
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, settings{}, shell(before+`exec perl -e '
				use Fcntl;
				fcntl STDOUT, F_SETFL, fcntl(STDOUT, F_GETFL, 0) | O_NONBLOCK or die;
				for (1 .. 200) { defined syswrite STDOUT, "$_\n" or die "write $_: $!" }'`))
			if got.code != 0 || !strings.HasSuffix(got.stdout, "\n199\n200\n") {
				t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
			}
		})
	}
}
