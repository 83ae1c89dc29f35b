//go:build linux

package supervise

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestOutputArrivesUnchanged(t *testing.T) {
	for name, script := range map[string]string{
		"nothing":              ``,
		"lines":                `print STDOUT "a\nb\n"; print STDERR "c\n"`,
		"no line end":          `print STDOUT "a"; print STDERR "b"`,
		"every byte":           `my $all = pack "C*", 0 .. 255; print STDOUT $all x 1000; print STDERR reverse($all) x 999`,
		"invalid UTF-8":        `print STDOUT "\xc3\x28\xff\xfe\x80"; print STDERR "\xf0\x9f\x98"`,
		"terminal escapes":     `print STDOUT "\e[31mred\e[0m\a\b\r\0"; print STDERR "\e]0;title\a"`,
		"10 MB without a line": `print STDOUT "x" x 10_000_000; print STDERR "y" x 3_000_001`,
		"one byte at a time":   `$| = 1; for (1 .. 2000) { syswrite STDOUT, "a"; syswrite STDERR, "b" }`,
	} {
		t.Run(name, func(t *testing.T) {
			want, wantErr := output(t, perl(script))
			for _, s := range []settings{{}, {Direct: true}, {DirectStderr: true}} {
				got := run(t, s, perl(script))
				if got.stdout != want || got.stderr != wantErr {
					t.Errorf("%+v: got %d and %d bytes, or other ones; want %d and %d",
						s, len(got.stdout), len(got.stderr), len(want), len(wantErr))
				}
				if !s.Direct && got.report.Stdout != digestOf([]byte(want)) {
					t.Errorf("Tee of stdout: %+v", got.report.Stdout)
				}
				if s == (settings{}) && got.report.Stderr != digestOf([]byte(wantErr)) {
					t.Errorf("Tee of stderr: %+v", got.report.Stderr)
				}
			}
		})
	}
}

// output runs a command without a supervisor.
func output(t *testing.T, args []string) (stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &err
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return out.String(), err.String()
}

func TestOutputIsNotHeldBack(t *testing.T) {
	question, answer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer question.Close()
	defer answer.Close()
	p := start(t, settings{}, shell(`printf 'no line end'; read -r answer; echo " $answer"`), func(cmd *exec.Cmd) { cmd.Stdin = question })
	seen := make([]byte, len("no line end"))
	if _, err := io.ReadFull(p.stdout, seen); err != nil {
		t.Fatal(err)
	}
	if _, err := answer.WriteString("and on\n"); err != nil {
		t.Fatal(err)
	}
	if got := p.end(); string(seen)+got.stdout != "no line end and on\n" {
		t.Errorf("got %q and %q", seen, got.stdout)
	}
}

func TestAllThatWasWrittenBeforeTheEndArrives(t *testing.T) {
	for name, place := range supervisors {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				began := time.Now()
				// The child goes on writing to stdout when the command has ended, and would for ever.
				got := run(t, settings{}, perl(`
				if (!fork) { $SIG{PIPE} = "IGNORE"; syswrite STDOUT, "child\n" while 1 }
				syswrite STDERR, "x" x 500_000;
				syswrite STDOUT, "the end\n";
				exit 4`), place)
				if got.code != 4 || len(got.stderr) != 500_000 || !strings.Contains(got.stdout, "the end\n") {
					t.Fatalf("got %d, %d bytes, the end: %t", got.code, len(got.stderr), strings.Contains(got.stdout, "the end\n"))
				}
				if got.report.Stdout != digestOf([]byte(got.stdout)) {
					t.Fatalf("Tee saw %d bytes of %d", got.report.Stdout.Size, len(got.stdout))
				}
				if took := time.Since(began); took > 20*time.Second {
					t.Fatalf("took %v", took)
				}
			}
		})
	}
}

func TestACommandMayCloseItsOutputAndGoOn(t *testing.T) {
	got := run(t, settings{}, shell("echo first; exec 1>&-; sleep 0.1; echo second >&2; exec 2>&-; sleep 0.1; exit 5"))
	if got.code != 5 || got.stdout != "first\n" || got.stderr != "second\n" {
		t.Errorf("got %d, %q, %q", got.code, got.stdout, got.stderr)
	}
}

func TestASlowReaderLosesNothing(t *testing.T) {
	p := start(t, settings{}, perl(`for (1 .. 300_000) { print "$_\n" }`), func(cmd *exec.Cmd) { shrink(t, cmd.Stdout) })
	checkNumbers(t, p, 300_000)
}

// shrink makes a pipe small, so that it is often full.
func shrink(t *testing.T, pipe io.Writer) {
	t.Helper()
	if _, err := unix.FcntlInt(pipe.(*os.File).Fd(), unix.F_SETPIPE_SZ, 4096); err != nil {
		t.Fatal(err)
	}
}

// checkNumbers reads slowly, first of all with a pause in which all pipes fill up.
func checkNumbers(t *testing.T, p *process, last int) {
	t.Helper()
	var want bytes.Buffer
	for i := 1; i <= last; i++ {
		want.WriteString(strconv.Itoa(i) + "\n")
	}
	var got bytes.Buffer
	for pause := 100 * time.Millisecond; ; pause = time.Millisecond {
		if got.Len()%7 == 0 {
			<-time.After(pause)
		}
		if _, err := io.CopyN(&got, p.stdout, 9973); err != nil {
			break
		}
	}
	end := p.end()
	if end.code != 0 || !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("got %d, %d bytes, want %d; %s", end.code, got.Len(), want.Len(), end.stderr)
	}
	if end.report.Stdout != digestOf(want.Bytes()) {
		t.Errorf("Tee: %+v", end.report.Stdout)
	}
}

func TestANonblockingOutputLosesNothing(t *testing.T) {
	t.Run("from the beginning", func(t *testing.T) {
		p := start(t, settings{}, perl(`for (1 .. 300_000) { print "$_\n" }`), func(cmd *exec.Cmd) {
			shrink(t, cmd.Stdout)
			if err := unix.SetNonblock(int(cmd.Stdout.(*os.File).Fd()), true); err != nil {
				t.Fatal(err)
			}
		})
		checkNumbers(t, p, 300_000)
	})
	t.Run("because the command makes it so", func(t *testing.T) {
		p := start(t, settings{DirectStderr: true}, perl(`
			use Fcntl;
			fcntl STDERR, F_SETFL, O_WRONLY | O_NONBLOCK or die;
			for (1 .. 300_000) { print "$_\n" }`), func(cmd *exec.Cmd) {
			shrink(t, cmd.Stdout)
			cmd.Stderr = cmd.Stdout
		})
		checkNumbers(t, p, 300_000)
	})
}

func TestACommandGoesOnWhenNobodyReadsItsOutput(t *testing.T) {
	for name, place := range supervisors {
		t.Run(name, func(t *testing.T) {
			p := start(t, settings{}, perl(`$SIG{PIPE} = sub { exit 99 }; print "x" x 5_000_000; print STDERR "done\n"; exit 3`), place, func(cmd *exec.Cmd) {
				read, write, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { write.Close() })
				read.Close()
				cmd.Stdout = write
			})
			got := p.end()
			if got.code != 3 || got.stderr != "done\n" || got.report.Stdout != digestOf(bytes.Repeat([]byte("x"), 5_000_000)) {
				t.Errorf("got %d, %q, %+v", got.code, got.stderr, got.report)
			}
		})
	}
}

func TestOutputToAFileIsAppended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	script := shell(`echo out; until test -s "$0"; do sleep 0.01; done; echo err >&2; echo out`)
	p := start(t, settings{DirectStderr: true}, append(script, path), func(cmd *exec.Cmd) {
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		cmd.Stdout, cmd.Stderr = file, file
	})
	p.end()
	if got, err := os.ReadFile(path); string(got) != "out\nerr\nout\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAPipeThatSomebodyElseHoldsDoesNotDelayTheEnd(t *testing.T) {
	p := start(t, settings{Grace: time.Hour}, shell("trap 'exit 6' TERM; echo $$; while :; do sleep 0.01; done"))
	held, err := os.OpenFile("/proc/"+p.line()+"/fd/1", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	block := bytes.Repeat([]byte("from outside\n"), 10_000)
	go func() {
		for err == nil {
			_, err = held.Write(block)
		}
	}()
	began := time.Now()
	p.signal(unix.SIGTERM)
	if got := p.end(); got.code != 6 {
		t.Errorf("got %d", got.code)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestAReaderThatIsStuckDoesNotDelayTheEndForEver(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as a reader may be stuck")
	}
	t.Parallel()
	p := start(t, settings{}, perl(`print "x" x 500_000; exit 3`), func(cmd *exec.Cmd) { shrink(t, cmd.Stdout) })
	if err := p.Wait(); p.ProcessState.ExitCode() != 3 {
		t.Error(err)
	}
}

func TestMemoryIsConstant(t *testing.T) {
	const size, most = 64 << 20, 512 << 10
	p := start(t, settings{}, []string{"head", "-c", strconv.Itoa(size), "/dev/zero"})
	if n, err := io.Copy(io.Discard, p.stdout); n != size || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	got := p.end()
	if got.report.Stdout.Size != size {
		t.Errorf("Tee: %+v", got.report.Stdout)
	}
	if got.report.Allocated > most || got.report.HeapGrowth > most {
		t.Errorf("allocated %d bytes, kept %d", got.report.Allocated, got.report.HeapGrowth)
	}
}
