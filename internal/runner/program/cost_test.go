//go:build linux

package program

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/internal/runner"
)

// size is how much the tests of memory print; 1024 shows it for a GiB.
var size = flag.Int("size", 8, "MiB of results that a test prints in the tests of the runner's memory")

// maxMemory is what the runner may take up, in KiB of resident memory, whatever a test prints.
const maxMemory = 12 << 10

// asGenerator makes the test binary print results: FORMAT.
const asGenerator = "RUNNER_TEST_AS_GENERATOR"

// generate prints so many MiB of results in that format, with a failing case now and then.
func generate(format string, mib int) error {
	if format == manyFiles {
		return generateFiles(mib << 10)
	}
	if shape := shapes[format]; shape != nil {
		out := bufio.NewWriterSize(os.Stdout, 1<<16)
		shape(out)
		return out.Flush()
	}
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	if format == string(results.JUnit) {
		file, err := os.Create(filepath.Join(os.Getenv(runner.EnvResults), "a.xml"))
		if err != nil {
			return err
		}
		defer file.Close()
		out.Reset(file)
	}
	lines := map[string][3]string{
		"TAP":    {"", "%sok %d - the sum of what is in the basket is right\n", "# that was all\n"},
		"GoTest": {"", `{"Action":"run","Package":"example.com/shop","Test":"Test%[2]d"}` + "\n" + `{"Action":"%[1]s","Package":"example.com/shop","Test":"Test%[2]d","Elapsed":0.01}` + "\n", `{"Action":"pass","Package":"example.com/shop"}` + "\n"},
		"JUnit":  {"<testsuite>\n", `<testcase classname="shop.Basket" name="case %[2]d" time="0.01">%[1]s</testcase>` + "\n", "</testsuite>\n"},
	}[format]
	words := map[string][2]string{"TAP": {"", "not "}, "GoTest": {"pass", "fail"}, "JUnit": {"", `<failure message="no">at line 1</failure>`}}[format]
	fmt.Fprint(out, lines[0])
	n, written := 0, 0
	for written < mib<<20 {
		n++
		word := words[0]
		if n%1000 == 0 {
			word = words[1]
		}
		more, err := fmt.Fprintf(out, lines[1], word, n)
		if err != nil {
			return err
		}
		written += more
	}
	fmt.Fprint(out, lines[2])
	if format == "TAP" {
		fmt.Fprintf(out, "1..%d\n", n)
	}
	return out.Flush()
}

// manyFiles makes the generator leave files of a suite each, 1,024 for each MiB.
const manyFiles = "files"

func generateFiles(n int) error {
	for i := range n {
		suite := fmt.Sprintf(`<testsuite name="shop.Basket%d" tests="1" timestamp="2026-01-01T00:00:00"><testcase classname="shop.Basket%[1]d" name="adds" time="0.01"/></testsuite>`, i)
		if i%1000 == 999 {
			suite = fmt.Sprintf(`<testcase name="case %d"><failure message="no"/></testcase>`, i)
		}
		if err := os.WriteFile(filepath.Join(os.Getenv(runner.EnvResults), fmt.Sprintf("TEST-shop.Basket%d.xml", i)), []byte(suite), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// build builds the runner as it is shipped, but for what more the linker is told.
func build(tb testing.TB, more ...string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "runner")
	flags := strings.Join(append([]string{"-s", "-w"}, more...), " ")
	cmd := exec.CommandContext(tb.Context(), "go", "build", "-trimpath", "-ldflags="+flags, "-o", path, "github.com/testrun-dev/testrun/cmd/runner")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, output)
	}
	return path
}

func TestMemoryDoesNotGrowWithWhatATestReports(t *testing.T) {
	program := build(t)
	for _, input := range []string{"TAP", "GoTest", "JUnit", manyFiles} {
		t.Run(input, func(t *testing.T) {
			format := input
			if input == manyFiles {
				format = "JUnit"
			}
			start := time.Now()
			peak, report := measure(t, program, input)
			t.Logf("%d MiB, %d cases: %d KiB of memory, %s", *size, report.Total(), peak, time.Since(start).Round(time.Millisecond))
			if string(report.Format) != format || report.Defect != "" || report.Total() < int64(*size)<<10 || report.Failed != report.Total()/1000 {
				t.Errorf("it reports %s: %d cases, %d failed, %s", report.Format, report.Total(), report.Failed, report.DefectMessage)
			}
			if peak == 0 || peak > maxMemory {
				t.Errorf("it took up %d KiB, want at most %d", peak, maxMemory)
			}
		})
	}
}

// measure runs the generator of an input under the runner, and returns the runner's peak memory in KiB and its report. On a busy machine the
// garbage collector may wait for its turn while the runner reads on, so a peak that is too high is measured once more.
func measure(t *testing.T, program, input string, flags ...string) (peak int, report *results.Report) {
	t.Helper()
	if peak, report = measureOnce(t, program, input, flags...); peak > maxMemory {
		t.Logf("%d KiB of memory at first", peak)
		peak, report = measureOnce(t, program, input, flags...)
	}
	return peak, report
}

func measureOnce(t *testing.T, program, input string, flags ...string) (peak int, report *results.Report) {
	t.Helper()
	dir := t.TempDir()
	args := append([]string{"run", "--report=" + filepath.Join(dir, "report")}, flags...)
	cmd := exec.CommandContext(t.Context(), program, append(args, "--", os.Args[0], "-size="+strconv.Itoa(*size))...)
	cmd.Env = append(os.Environ(), asGenerator+"="+input, runner.EnvResults+"="+filepath.Join(dir, "results"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for running := true; running; {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		case <-time.After(10 * time.Millisecond):
			peak = max(peak, peakMemory(cmd.Process.Pid))
		}
	}
	encoded, err := os.ReadFile(filepath.Join(dir, "report"))
	if err != nil {
		t.Fatal(err)
	}
	report, _ = results.Decode(string(encoded))
	return peak, report
}

// peakMemory is the largest resident memory that the process has had, in KiB; 0 if it is not known.
func peakMemory(pid int) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	peak, _ := strconv.Atoi(string(fields[0]))
	return peak
}

// BenchmarkStart compares the time that a command takes with the runner in front of it and without.
func BenchmarkStart(b *testing.B) {
	program := build(b)
	for name, args := range map[string][]string{
		"runner": {program, "run", "--report=" + filepath.Join(b.TempDir(), "report"), "--", "true"},
		"bare":   {"true"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := exec.CommandContext(b.Context(), args[0], args[1:]...).Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
