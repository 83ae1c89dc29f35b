//go:build linux

package program

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/internal/runner"
	"github.com/testrun-dev/testrun/internal/runner/folder"
)

const (
	goodSuite = `<testsuite><testcase name="a"/></testsuite>`
	badSuite  = `<testsuite><testcase name="b"><failure message="no"/></testcase></testsuite>`
)

// said is what a report holds: its words, and the messages of its defect and of other formats.
func said(report *results.Report) string {
	text := words(report)
	for _, more := range []string{report.DefectMessage, report.Also} {
		if more != "" {
			text += "; " + more
		}
	}
	return text
}

func TestNoFileIsSilentlyLeftOut(t *testing.T) {
	const zeros = `head -c 4096 /dev/zero > $TESTRUN_RESULTS/`
	tests := map[string]struct {
		script string
		flags  []string
		want   string
	}{
		"a file of zeros beside a good one":   {`echo '` + goodSuite + `' > a.xml; ` + zeros + `b.xml`, nil, "JUnit 1/0/0/0 Incomplete; b.xml is no XML"},
		"a file of zeros alone":               {zeros + `b.xml`, nil, "JUnit 0/0/0/0 Incomplete; b.xml is no XML"},
		"a file of zeros that XML follows":    {zeros + `b.xml; echo '` + badSuite + `' >> b.xml`, nil, "JUnit 0/1/0/0"},
		"an empty file":                       {`: > a.xml`, nil, "JUnit 0/0/0/0 Incomplete; a.xml is empty, or breaks off before its first element"},
		"text before the XML":                 {`(echo npm WARN; echo '` + badSuite + `') > a.xml; echo '` + goodSuite + `' > b.xml`, nil, "JUnit 1/1/0/0"},
		"TAP in a file of XML":                {`echo 1..1 > a.xml`, nil, "JUnit 0/0/0/0 Incomplete; a.xml is no XML"},
		"other files that a pattern matches":  {`echo hello > a.log; echo '` + goodSuite + `' > a.xml`, []string{"--path=*"}, "JUnit 1/0/0/0"},
		"the one file that is named":          {`echo hello > report`, []string{"--path=report"}, "JUnit 0/0/0/0 Incomplete; report is no XML"},
		"XML of another kind":                 {`echo '<coverage/>' > a.xml; echo '` + goodSuite + `' > b.xml`, nil, "JUnit 1/0/0/0"},
		"a pipe":                              {`mkfifo a.xml`, nil, "JUnit 0/0/0/0 Incomplete; a.xml is not read: it is no ordinary file"},
		"a link out of the folder":            {`ln -s /etc/passwd a.xml`, nil, "JUnit 0/0/0/0 Incomplete; a.xml is not read: it is a link that leads out of the folder"},
		"a link by an absolute path":          {`echo '` + goodSuite + `' > b.xml; ln -s $PWD/b.xml a.xml`, nil, "JUnit 1/0/0/0 Incomplete; a.xml is not read: it is a link that leads out of the folder"},
		"a link to a folder outside":          {`ln -s / x`, nil, "JUnit 0/0/0/0 Incomplete; x is not read: it is a link that leads out of the folder"},
		"a link of another name to a file":    {`ln -s /etc/passwd log`, nil, "0/0/0/0"},
		"a link to nothing":                   {`ln -s b.xml a.xml`, nil, "JUnit 0/0/0/0 Incomplete; a.xml is not read: it is a link to a file that does not exist"},
		"a link to what has been read":        {`echo '` + badSuite + `' > b.xml; ln -s b.xml a.xml; ln b.xml c.xml`, nil, "JUnit 0/1/0/0"},
		"a link to what else is not read":     {`echo '` + badSuite + `' > report; ln -s report a.xml`, nil, "JUnit 0/1/0/0"},
		"a link to a folder that is read":     {`mkdir x; echo '` + badSuite + `' > x/a.xml; ln -s x y`, nil, "JUnit 0/1/0/0"},
		"a link to a folder in the path":      {`mkdir x; echo '` + badSuite + `' > x/a.xml; ln -s x latest`, []string{"--path=latest/*.xml"}, "JUnit 0/1/0/0"},
		"a link that leads round in a circle": {`ln -s . x; echo '` + badSuite + `' > a.xml`, nil, "JUnit 0/1/0/0"},
		"the folder is replaced by a link":    {`cd /; rmdir $TESTRUN_RESULTS; ln -s /etc $TESTRUN_RESULTS`, nil, "JUnit 0/0/0/0 Incomplete; the JUnit files cannot be read: DIR is no folder any more"},
		"the folder is removed":               {`cd /; rmdir $TESTRUN_RESULTS`, nil, "0/0/0/0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRunner(t, `cd $TESTRUN_RESULTS; `+test.script, test.flags...)
			got := r.end()
			if text := strings.ReplaceAll(said(got.report), r.resultsDir, "DIR"); text != test.want {
				t.Errorf("it reports\n%s, want\n%s; stderr %q", text, test.want, got.stderr)
			}
		})
	}
}

func TestNoFormatHidesAnother(t *testing.T) {
	const (
		tapFails  = `echo 1..2; echo ok 1; echo not ok 2 - x; `
		goPasses  = `echo '{"Action":"run","Package":"p","Test":"TestA"}'; echo '{"Action":"pass","Package":"p","Test":"TestA"}'; echo '{"Action":"pass","Package":"p"}'; `
		goNoTests = `echo '{"Action":"start","Package":"p"}'; echo '{"Action":"pass","Package":"p"}'; `
		goFails   = `echo '{"Action":"run","Package":"p","Test":"TestA"}'; echo '{"Action":"fail","Package":"p","Test":"TestA"}'; echo '{"Action":"fail","Package":"p"}'; `
	)
	here, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	file := func(suite string) string { return `echo '` + suite + `' > a.xml; ` }
	tests := map[string]struct {
		script string
		flags  []string
		want   string
	}{
		"go test without tests, then TAP":       {`cat ` + here + `/go-without-tests-then-tap.txt`, nil, "TAP 1/1/0/0"},
		"go test that passes, then TAP":         {`cat ` + here + `/go-passed-then-tap-failed.txt`, nil, "GoTest 1/0/0/0; 1 of 2 TAP cases failed: b"},
		"a file without a case, and TAP":        {`cp ` + here + `/empty-suites.xml a.xml; cat ` + here + `/failed.tap`, nil, "TAP 0/1/0/0"},
		"a file that passes, TAP that does not": {file(goodSuite) + tapFails, nil, "JUnit 1/0/0/0; 1 of 2 TAP cases failed: x"},
		"a file, go test and TAP":               {file(goodSuite) + goFails + tapFails, nil, "JUnit 1/0/0/0; 1 of 1 GoTest cases failed: p: TestA, 1 of 2 TAP cases failed: x"},
		"all of them fail":                      {file(badSuite) + tapFails, nil, "JUnit 0/1/0/0; 1 of 2 TAP cases failed: x"},
		"a file that breaks off, and TAP":       {`echo '<testsuite>' > a.xml; echo 1..1; echo ok 1`, nil, "TAP 1/0/0/0 Incomplete; JUnit: a.xml breaks off at line 2: the file ends inside <testsuite>"},
		"a file, and a plan not reached":        {file(goodSuite) + `echo 1..2; echo ok 1`, nil, "JUnit 1/0/0/0 PlanNotReached; TAP: planned 2 cases, ran 1"},
		"go test without tests alone":           {goNoTests, nil, "GoTest 0/0/0/0"},
		"only the format that is asked for":     {goPasses + tapFails, []string{"--format=GoTest"}, "GoTest 1/0/0/0"},
		"all pass":                              {file(goodSuite) + goPasses + `echo 1..1; echo ok 1`, nil, "JUnit 1/0/0/0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := startRunner(t, `cd $TESTRUN_RESULTS; `+test.script, test.flags...).end()
			if said(got.report) != test.want {
				t.Errorf("it reports\n%s, want\n%s; stderr %q", said(got.report), test.want, got.stderr)
			}
		})
	}
}

func TestAFailureOfTheTestThatNoCaseExplainsIsThatOfTheFlakyOne(t *testing.T) {
	const twice = `echo '<testsuite><testcase name="a"><failure/></testcase><testcase name="a"/></testsuite>' > $TESTRUN_RESULTS/a.xml; `
	for script, want := range map[string]string{
		twice + "exit 0": "JUnit 1/0/0/0",
		twice + "exit 1": "JUnit 1/1/0/0",
		twice + "echo '" + badSuite + "' > $TESTRUN_RESULTS/b.xml; exit 1": "JUnit 1/1/0/0", // b explains it
		twice + "echo 1..1; echo not ok 1; exit 1":                         "JUnit 1/0/0/0; 1 of 1 TAP cases failed",
	} {
		if got := startRunner(t, script).end(); !strings.HasPrefix(said(got.report), want) {
			t.Errorf("%s: it reports %s, want %s", script, said(got.report), want)
		}
	}
}

func TestTheFolderForFilesIsMadeOrIsOurs(t *testing.T) {
	mode := func(path string) os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	private := func() string {
		dir := filepath.Join(t.TempDir(), "private")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	t.Run("it is made for all", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "x", "results")
		if err := folder.Make(dir); err != nil || mode(dir) != 0o777 {
			t.Errorf("%v: %s", err, mode(dir))
		}
	})
	t.Run("it may be ours already", func(t *testing.T) {
		dir := private()
		if err := folder.Make(dir); err != nil || mode(dir) != 0o777 {
			t.Errorf("%v: %s", err, mode(dir))
		}
	})
	t.Run("what a link leads to stays as it is", func(t *testing.T) {
		target, dir := private(), filepath.Join(t.TempDir(), "results")
		if err := os.Symlink(target, dir); err != nil {
			t.Fatal(err)
		}
		if err := folder.Make(dir); err == nil || mode(target) != 0o700 {
			t.Errorf("%v: %s", err, mode(target))
		}
	})
	t.Run("a file is none", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "results")
		if err := os.WriteFile(dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := folder.Make(dir); err == nil || mode(dir) != 0o600 {
			t.Errorf("%v: %s", err, mode(dir))
		}
	})
	t.Run("another user's stays as it is", func(t *testing.T) {
		dir := private()
		if err := os.Chown(dir, os.Geteuid()+1, -1); err != nil {
			t.Skip("only root can give a folder away")
		}
		if err := folder.Make(dir); err == nil || mode(dir) != 0o700 {
			t.Errorf("%v: %s", err, mode(dir))
		}
	})
}

func TestATestWhoseFolderIsNotOursRunsUnlessItHasToLeaveFiles(t *testing.T) {
	for format, want := range map[string]string{
		"Auto":  "TAP 1/0/0/0 Incomplete; JUnit: LINK is not read: it was there before and is no folder of this user's: somebody else may have made it",
		"JUnit": "0/0/0/0; the folder of $TESTRUN_RESULTS cannot be used: LINK: it was there before and is no folder of this user's: somebody else may have made it",
	} {
		dir := t.TempDir()
		link, reportFile := filepath.Join(dir, "results"), filepath.Join(dir, "report")
		if err := os.Symlink(t.TempDir(), link); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "run", "--format="+format, "--report="+reportFile, "--", "sh", "-c", "echo 1..1; echo ok 1; echo '"+badSuite+"' > $TESTRUN_RESULTS/a.xml")
		cmd.Env = append(os.Environ(), asRunner+"=1", runner.EnvResults+"="+link)
		_ = cmd.Run() // the report says more than its exit code
		encoded, err := os.ReadFile(reportFile)
		if err != nil {
			t.Fatal(err)
		}
		report, _ := results.Decode(string(encoded))
		got := said(report)
		if report.NotStarted != "" {
			got += "; " + report.NotStarted
		}
		if got = strings.ReplaceAll(got, link, "LINK"); got != want {
			t.Errorf("%s: it reports\n%s, want\n%s", format, got, want)
		}
	}
}

func TestFilesAreReadInTheOrderOfTheirNames(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) {
		path := filepath.Join(dir, name+".xml")
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(`<testcase name="`+name+`"><failure/></testcase>`), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 * folder.KeptAtOnce {
		write(fmt.Sprintf("c/%05d", (i*7919)%(3*folder.KeptAtOnce)))
	}
	for _, name := range []string{"b", "a/z", "d/e/f"} {
		write(name)
	}
	c := newCollector(runner.Options{Format: runner.Auto}, nil)
	c.end(dir, 1)
	report := c.report()
	if report.Failed != 3*folder.KeptAtOnce+3 || report.Defect != "" {
		t.Errorf("%d failed, %s", report.Failed, report.DefectMessage)
	}
	for i, c := range report.Cases() {
		want := fmt.Sprintf("c/%05d", i-2)
		if i < 2 {
			want = []string{"b", "a/z"}[i]
		}
		if c.Name != want {
			t.Fatalf("case %d is %s, want %s", i, c.Name, want)
		}
	}
}
