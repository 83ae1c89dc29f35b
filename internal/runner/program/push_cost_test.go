//go:build linux

package program

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/runner"
	"github.com/testrun-dev/testrun/internal/runner/pushertest"
)

// maxProgram is how large the program may be, in bytes: it is part of every test's pod.
const maxProgram = 8 << 20

func TestTheRunnerIsSmall(t *testing.T) {
	info, err := os.Stat(build(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d KiB", info.Size()>>10)
	if info.Size() > maxProgram {
		t.Errorf("it has %d bytes, want at most %d", info.Size(), maxProgram)
	}
}

func TestMemoryDoesNotGrowWithWhatIsPushed(t *testing.T) {
	tokenFile := filepath.Join(t.TempDir(), "token")
	program := build(t, "-X github.com/testrun-dev/testrun/internal/runner/program.tokenFile="+tokenFile)
	if err := os.WriteFile(tokenFile, []byte(pushertest.Token), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, misbehave := range map[string]func(*pushertest.Server){"a server": func(*pushertest.Server) {}, "a server that hangs": hang} {
		for _, input := range []string{"TAP", "GoTest", "JUnit", manyFiles} {
			t.Run(name+", "+input, func(t *testing.T) {
				server := pushertest.New(t)
				misbehave(server)
				id := runner.Identity{Namespace: "default", Name: "smoke", UID: fmt.Sprintf("test%d-%d", os.Getpid(), runs.Add(1)), Attempt: 1}
				defer os.RemoveAll(id.ResultsDir())
				defer os.RemoveAll(id.ArtifactsDir())
				peak, report := measure(t, program, input, "--identity="+id.String(), "--archive="+server.URL, "--archive-pin="+server.Pin)
				t.Logf("%d MiB, %d cases: %d KiB of memory, %+v", *size, report.Total(), peak, report.Archive)
				if report.Total() < int64(*size)<<10 || report.Failed != report.Total()/1000 {
					t.Errorf("it reports %s: %d cases, %d failed, %s", report.Format, report.Total(), report.Failed, report.DefectMessage)
				}
				if peak == 0 || peak > maxMemory {
					t.Errorf("it took up %d KiB, want at most %d", peak, maxMemory)
				}
				if server.First == nil {
					t.Logf("%d bytes are missing", server.ExpectWhole())
				}
			})
		}
	}
}

// suite is a test of 5,000 cases that prints 22 MiB and does a little work.
const suite = `perl -e '$| = 0; print "1..5000\n"; for my $i (1..5000) { for my $j (1..40) {
	print "# ", scalar(localtime), " worker $j handles request number ", $i*$j, " of the basket and finds it good, id=", int(rand(1e9)), "\n" } print "ok $i - case $i\n" }'`

// BenchmarkPush compares the CPU time that a test takes alone, with the runner in front of it, and with a server that it is pushed to. The
// server's own is not counted. It also says how long it takes from the test's end until the runner ends: that of "pushed" is the last push.
func BenchmarkPush(b *testing.B) {
	server := pushertest.New(b)
	program := build(b, "-X github.com/testrun-dev/testrun/internal/runner/program.tokenFile="+server.TokenFile)
	command := []string{program, "run", "--report=" + filepath.Join(b.TempDir(), "report")}
	for _, kind := range []string{"alone", "runner", "pushed"} {
		b.Run(kind, func(b *testing.B) {
			var used time.Duration
			var after []time.Duration
			ended := filepath.Join(b.TempDir(), "ended")
			for b.Loop() {
				id := runner.Identity{Namespace: "default", Name: "smoke", UID: fmt.Sprintf("test%d-%d", os.Getpid(), runs.Add(1)), Attempt: 1}
				args := map[string][]string{
					"alone":  {},
					"runner": append(slices.Clone(command), "--identity="+id.String(), "--"),
					"pushed": append(slices.Clone(command), "--identity="+id.String(), "--archive="+server.URL, "--archive-pin="+server.Pin, "--"),
				}[kind]
				args = append(args, "sh", "-c", suite+` && date +%s%N > "$ENDED"`)
				cmd := exec.CommandContext(b.Context(), args[0], args[1:]...)
				cmd.Env = append(os.Environ(), "ENDED="+ended)
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
				after = append(after, time.Since(timeIn(b, ended)))
				used += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				server.Forget()
				_ = os.RemoveAll(id.ResultsDir())
				_ = os.RemoveAll(id.ArtifactsDir())
			}
			b.ReportMetric(float64(used.Milliseconds())/float64(b.N), "cpu-ms/op")
			slices.Sort(after)
			b.ReportMetric(float64(after[len(after)/2].Microseconds())/1000, "end-p50-ms")
		})
	}
}

// timeIn is the time in a file, in nanoseconds since 1970.
func timeIn(b *testing.B, file string) time.Time {
	b.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	nanoseconds, err := strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Unix(0, nanoseconds)
}
