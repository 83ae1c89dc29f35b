//go:build linux

package program

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/internal/runner"
	"github.com/testrun-dev/testrun/internal/runner/pushertest"
	"github.com/testrun-dev/testrun/test/points"
)

var runs atomic.Int64

// startPushing starts a runner that pushes to the server.
func startPushing(t *testing.T, server *pushertest.Server, script string, flags ...string) *running {
	t.Helper()
	id := runner.Identity{Namespace: "default", Name: "smoke", UID: fmt.Sprintf("test%d-%d", os.Getpid(), runs.Add(1)), Attempt: 1}
	r := &running{t: t, resultsDir: id.ResultsDir(), reportFile: filepath.Join(t.TempDir(), "report"), tokenFile: server.TokenFile}
	t.Cleanup(func() {
		_ = os.RemoveAll(id.ResultsDir())
		_ = os.RemoveAll(id.ArtifactsDir())
	})
	r.start(script, append([]string{"--identity=" + id.String(), "--archive=" + server.URL, "--archive-pin=" + server.Pin}, flags...)...)
	return r
}

// expectPushed holds what the server has against what a test printed and what its report says. It has to be whole.
func expectPushed(t *testing.T, server *pushertest.Server, got ended, output string) {
	t.Helper()
	pushed, gaps := server.Stream(push.Output, "")
	if string(pushed) != output || len(gaps) > 0 {
		t.Errorf("%d bytes were pushed, want %d: %.200q, without %v", len(pushed), len(output), pushed, gaps)
	}
	if missing := server.ExpectWhole(); missing > 0 {
		t.Errorf("%d bytes are missing", missing)
	}
	if got.report == nil || got.report.Archive == nil || got.report.Archive.Error != "" {
		t.Fatalf("the report says %+v", got.report)
	}
	cases, _ := server.Stream(push.Cases, "")
	for kind, content := range map[push.Kind][]byte{push.Output: pushed, push.Cases: cases} {
		want := map[push.Kind]results.Sum{push.Output: got.report.Archive.Output, push.Cases: got.report.Archive.Cases}[kind]
		if sum := sumOf(content); sum != want {
			t.Errorf("the %s is %+v, and the report says %+v", kind, sum, want)
		}
	}
}

func sumOf(content []byte) results.Sum {
	sum := sha256.Sum256(content)
	return results.Sum{Length: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
}

// listed says what cases are, a line each.
func listed(cases []push.Case) string {
	var out strings.Builder
	for _, c := range cases {
		fmt.Fprintf(&out, "%d %s: %s %s", c.Number, strings.Trim(c.Suite+"/"+c.Name, "/"), c.Outcome, strings.Join(strings.Fields(c.Message+" "+c.Location), " "))
		if c.Flaky {
			out.WriteString(" flaky")
		}
		out.WriteString("\n")
	}
	return strings.ReplaceAll(out.String(), " \n", "\n")
}

func TestEverythingThatATestSaysIsPushed(t *testing.T) {
	const (
		tap   = `echo 1..2; echo ok 1 - a; echo not ok 2 - b; echo '# it broke'; `
		said  = "1..2\nok 1 - a\nnot ok 2 - b\n# it broke\n"
		event = `{"Action":"%s","Package":"p","Test":"%s"}\n`
	)
	events := func(lines ...string) string {
		text := ""
		for _, line := range lines {
			action, name, _ := strings.Cut(line, " ")
			text += fmt.Sprintf(event, action, name)
		}
		return text
	}
	goTest := events("run TestA", "pass TestA", "run TestB", "fail TestB") + `{"Action":"fail","Package":"p"}\n`
	file := func(cases string) string {
		return `echo '<testsuite>` + cases + `</testsuite>' > $TESTRUN_RESULTS/a.xml; `
	}
	tests := map[string]struct {
		script string
		flags  []string
		output string
		want   string
	}{
		"TAP":                            {tap, nil, said, "1 a: Passed\n2 b: Failed it broke\n"},
		"both streams, in order":         {`for i in 1 2 3; do echo $i; echo err $i >&2; done`, nil, "1\nerr 1\n2\nerr 2\n3\nerr 3\n", ""},
		"both streams, without a reader": {`for i in 1 2 3; do echo $i; echo err $i >&2; done`, []string{"--format=JUnit"}, "1\nerr 1\n2\nerr 2\n3\nerr 3\n", ""},
		"go test":                        {`printf '` + goTest + `'`, nil, strings.ReplaceAll(goTest, `\n`, "\n"), "1 p/TestA: Passed\n2 p/TestB: Failed\n"},
		"a JUnit file":                   {file(`<testcase name="a"/><testcase name="b"><failure message="no"/></testcase>`), nil, "", "1 a: Passed\n2 b: Failed no\n"},
		"a JUnit file in place of TAP":   {tap + file(`<testcase name="x"/><testcase name="y"/><testcase name="z"/>`), nil, said, "1 x: Passed\n2 y: Passed\n3 z: Passed\n"},
		"a shorter JUnit file":           {tap + file(`<testcase name="x"/>`), nil, said, "1 x: Passed\n"},
		"a JUnit file without a case":    {tap + file(``), nil, said, "1 a: Passed\n2 b: Failed it broke\n"},
		"what only looks like TAP":       {`echo ok 1 record was written; echo all done`, nil, "ok 1 record was written\nall done\n", ""},
		"TAP with its plan at the end":   {`echo ok 1 - a; echo ok 2 - b; echo 1..2`, nil, "ok 1 - a\nok 2 - b\n1..2\n", "1 a: Passed\n2 b: Passed\n"},
		"nothing at all":                 {`:`, nil, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := pushertest.New(t)
			got := startPushing(t, server, test.script, test.flags...).end()
			if got.code != 0 {
				t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
			}
			expectPushed(t, server, got, test.output)
			if cases := listed(server.Cases()); cases != test.want {
				t.Errorf("the cases are\n%s, want\n%s", cases, test.want)
			}
		})
	}
}

func TestACommandThatCannotBeStartedIsPushedAsAnEmptyTest(t *testing.T) {
	server := pushertest.New(t)
	r := startPushing(t, server, "", "--", "/etc/passwd")
	got := r.end()
	if got.code != 126 || got.report == nil || got.report.NotStarted == "" {
		t.Errorf("exit code %d, report %+v", got.code, got.report)
	}
	expectPushed(t, server, got, "")
}

func TestWithoutAnArchiveATestIsToldOfNone(t *testing.T) {
	got := startRunner(t, `echo ${TESTRUN_ARTIFACTS-none}`, "--identity=default/smoke/none/1").end()
	_ = os.Remove("/tmp/testrun-none-1")
	if string(got.stdout) != "none\n" || got.report == nil || got.report.Archive != nil {
		t.Errorf("it is told %q, and the report says %+v", got.stdout, got.report)
	}
}

func TestWhatATestSaysIsPushedWhileItRuns(t *testing.T) {
	server := pushertest.New(t)
	r := startPushing(t, server, `echo 1..3; echo ok 1 - a; echo ok 2 - b; : > $TESTRUN_RESULTS/begun; until test -e $TESTRUN_RESULTS/over; do sleep 0.05; done; echo ok 3 - c`)
	tooLate := almostOver(t)
	for what, holds := range map[string]func() bool{
		"the output": func() bool {
			pushed, _ := server.Stream(push.Output, "")
			return string(pushed) == "1..3\nok 1 - a\nok 2 - b\n"
		},
		"the progress": func() bool { return slices.Contains(server.Progress(), push.Progress{Done: 1, Total: 3}) },
		"no end":       func() bool { return server.End() == nil },
	} {
		waitFor(t, tooLate, what, holds)
	}
	if err := os.WriteFile(filepath.Join(r.resultsDir, "over"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expectPushed(t, server, r.end(), "1..3\nok 1 - a\nok 2 - b\nok 3 - c\n")
}

// waitFor waits until something holds.
func waitFor(t *testing.T, tooLate <-chan time.Time, what string, holds func() bool) {
	t.Helper()
	for !holds() {
		select {
		case <-tooLate:
			t.Fatalf("in vain: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Whatever becomes of the server, the test is the same: its output, its exit code, and its report but for what that says of the archive.
func TestNoServerChangesATest(t *testing.T) {
	const script = `echo 1..2; echo ok 1 - a; echo not ok 2 - b; echo why >&2; exit 3`
	answer := func(code int) func(int, http.ResponseWriter, *http.Request) bool {
		return func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			pushertest.Refuse(w, code, "it is the server's will")
			return true
		}
	}
	tests := map[string]struct {
		server func(*pushertest.Server)
		flags  []string
		says   string
	}{
		"it is away":                    {func(s *pushertest.Server) { s.Close() }, nil, "not all could be pushed: dial tcp"},
		"its name is not known":         {nil, []string{"--archive=https://archive.invalid:9443"}, "not all could be pushed: dial tcp: lookup archive.invalid"},
		"it hangs":                      {hang, nil, "not all could be pushed: the time was over"},
		"it always fails":               {func(s *pushertest.Server) { s.First = answer(500) }, nil, "not all could be pushed: the server answered 500: it is the server's will"},
		"it is always busy":             {func(s *pushertest.Server) { s.First = answer(429) }, nil, "not all could be pushed: the server answered 429"},
		"it does not know the run":      {func(s *pushertest.Server) { s.First = answer(404) }, nil, "the server answered 404: it is the server's will"},
		"it is another server":          {func(s *pushertest.Server) { s.First = answer(200) }, nil, "the server answered 200: it is the server's will"},
		"it sends us elsewhere":         {func(s *pushertest.Server) { s.First = answer(302) }, nil, "the server answered 302"},
		"it refuses the token":          {func(s *pushertest.Server) { s.TakeOnly("another") }, nil, "the server answered 401"},
		"it resets every connection":    {func(s *pushertest.Server) { s.First = breakOff }, nil, "not all could be pushed: "},
		"its key is another":            {nil, []string{"--archive-pin=" + strings.Repeat("ab", 32)}, "not all could be pushed: the server has another key than --archive-pin says"},
		"there is no token":             {func(s *pushertest.Server) { _ = os.Remove(s.TokenFile) }, nil, "not all could be pushed: the token cannot be read"},
		"the address is none":           {nil, []string{"--archive=http://archive"}, `--archive is "http://archive": it is https://HOST or https://HOST:PORT`},
		"the key is none":               {nil, []string{"--archive-pin=abc"}, `--archive-pin is "abc": it is a SHA-256 in hex`},
		"there are too many keys":       {nil, []string{"--archive-pin=" + strings.Repeat(","+strings.Repeat("ab", 32), 3)[1:]}, "--archive-pin has 3 keys"},
		"nothing says which attempt it": {nil, []string{"--identity=a/b//1"}, "--identity is missing"},
	}
	count := points.Of(t, "a runner has a server that it cannot push to")
	without := startRunner(t, script).end()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := pushertest.New(t)
			if test.server != nil {
				test.server(server)
			}
			got := startPushing(t, server, script, test.flags...).end()
			if got.code != 3 || string(got.stdout) != "1..2\nok 1 - a\nnot ok 2 - b\n" || string(got.stderr) != "why\n" || words(got.report) != "TAP 1/1/0/0" {
				t.Errorf("exit code %d, stdout %q, stderr %q, report %q", got.code, got.stdout, got.stderr, words(got.report))
			}
			expectSameTest(t, got, without)
			if got.report == nil || got.report.Archive == nil || !strings.HasPrefix(got.report.Archive.Error, test.says) {
				t.Errorf("the report says %+v of the archive, want %q", got.report.Archive, test.says)
			}
			if server.End() != nil {
				t.Error("there was a last message")
			}
			count.Tried(t)
		})
	}
}

// expectSameTest checks that a test ended as it does without an archive: its exit code, its streams, and its report but for what that says of
// the archive and of durations.
func expectSameTest(t *testing.T, got, without ended) {
	t.Helper()
	if got.code != without.code || !bytes.Equal(got.stdout, without.stdout) || !bytes.Equal(got.stderr, without.stderr) {
		t.Errorf("exit code %d, %d bytes, stderr %q; without an archive: exit code %d, %d bytes, stderr %q",
			got.code, len(got.stdout), got.stderr, without.code, len(without.stdout), without.stderr)
	}
	if is, was := testOf(got.report), testOf(without.report); is != was || got.report == nil {
		t.Errorf("the report is\n%s\nand without an archive\n%s", is, was)
	}
}

// testOf is what a report says of the test, as text.
func testOf(report *results.Report) string {
	if report == nil {
		return "no report"
	}
	text := fmt.Sprint(words(report), " ", report.Flaky, " ", report.DefectMessage, report.Also, report.NotStarted, report.Stopped, report.MemoryKills)
	for _, c := range report.Cases() {
		text += fmt.Sprintf("\n%s %s %s %s %s %t", c.Outcome, c.Suite, c.Name, c.Location, c.Message, c.Flaky)
	}
	return text
}

// hang makes a server that never answers.
func hang(s *pushertest.Server) {
	s.First = func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server see that the client is gone
		<-r.Context().Done()
		return true
	}
}

func breakOff(_ int, w http.ResponseWriter, r *http.Request) bool {
	pushertest.BreakOff(w, r, 10)
	return true
}
