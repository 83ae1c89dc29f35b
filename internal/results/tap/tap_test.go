package tap

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/results"
)

var update = flag.Bool("update", false, "write what the fixtures are read as to their golden files")

// read reads the two streams in chunks of a size, the standard error first if asked to.
func read(stdout, stderr string, chunk int, stderrFirst bool) (summary *results.Summary, recognized bool) {
	summary = new(results.Summary)
	r := New(summary)
	write := func(p []byte, to func([]byte) (int, error)) {
		for len(p) > 0 {
			n, _ := to(p[:min(chunk, len(p))])
			p = p[n:]
		}
	}
	if stderrFirst {
		write([]byte(stderr), r.Stderr().Write)
	}
	write([]byte(stdout), r.Write)
	if !stderrFirst {
		write([]byte(stderr), r.Stderr().Write)
	}
	r.Close()
	return summary, r.Recognized()
}

const wholly = 1 << 30

// describe writes a summary for people to compare.
func describe(s *results.Summary, recognized bool) string {
	var out strings.Builder
	fmt.Fprintf(&out, "recognized %t: %d passed, %d failed, %d errored, %d skipped in %v\n",
		recognized, s.Passed, s.Failed, s.Errored, s.Skipped, s.Duration)
	if s.Defect != "" {
		fmt.Fprintf(&out, "%s: %s\n", s.Defect, s.DefectMessage)
	}
	for _, c := range s.Cases() {
		fmt.Fprintf(&out, "%s", c.Outcome)
		if c.Suite != "" {
			fmt.Fprintf(&out, " [%s]", c.Suite)
		}
		fmt.Fprintf(&out, " %s", c.Name)
		if c.Duration != 0 {
			fmt.Fprintf(&out, " (%v)", c.Duration)
		}
		if c.Location != "" {
			fmt.Fprintf(&out, " at %s", c.Location)
		}
		out.WriteByte('\n')
		for line := range strings.Lines(c.Message) {
			fmt.Fprintf(&out, "\t%s\n", strings.TrimSuffix(line, "\n"))
		}
	}
	return out.String()
}

type fixture struct{ name, stdout, stderr string }

// fixtures returns what is recorded in testdata: NAME.tap, and NAME.stderr if there is something.
func fixtures(tb testing.TB) []fixture {
	tb.Helper()
	paths, err := filepath.Glob("testdata/*.tap")
	if err != nil || len(paths) == 0 {
		tb.Fatal("no fixtures", err)
	}
	var found []fixture
	for _, path := range paths {
		base := strings.TrimSuffix(path, ".tap")
		stdout, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		stderr, err := os.ReadFile(base + ".stderr")
		if err != nil && !os.IsNotExist(err) {
			tb.Fatal(err)
		}
		found = append(found, fixture{filepath.Base(base), string(stdout), string(stderr)})
	}
	return found
}

func TestFixturesAreReadAsTheirGoldenFilesSay(t *testing.T) {
	for _, f := range fixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			got := describe(read(f.stdout, f.stderr, wholly, true))
			golden := filepath.Join("testdata", f.name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			for chunk := 1; chunk < 9; chunk++ {
				if again := describe(read(f.stdout, f.stderr, chunk, true)); again != got {
					t.Errorf("in chunks of %d bytes got\n%s\nat once\n%s", chunk, again, got)
				}
			}
			if late := describe(read(f.stdout, f.stderr, wholly, false)); late != got {
				t.Errorf("with the standard error behind got\n%s\nbefore\n%s", late, got)
			}
			withCRLF := string(bytes.ReplaceAll([]byte(f.stdout), []byte("\n"), []byte("\r\n")))
			if crlf := describe(read(withCRLF, f.stderr, wholly, true)); crlf != got {
				t.Errorf("with CR LF got\n%s\nwithout\n%s", crlf, got)
			}
		})
	}
}
