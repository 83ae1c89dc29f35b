package junit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/testrun-dev/testrun/internal/results"
)

// outcome is what a test looks at: whether the file is JUnit XML, the counts (passed, failed, errored, skipped), and the cases
// that did not pass or are flaky, each as "outcome suite: name: message" with the first line of its message.
type outcome struct {
	junit  bool
	counts [4]int64
	cases  []string
	defect string
}

func read(r io.Reader) (outcome, *results.Summary) {
	var sum results.Summary
	got := outcome{junit: Read(r, "r.xml", &sum)}
	got.counts = [4]int64{sum.Passed, sum.Failed, sum.Errored, sum.Skipped}
	got.defect = sum.DefectMessage
	for _, c := range sum.Cases() {
		message, _, _ := strings.Cut(c.Message, "\n")
		switch {
		case c.Flaky:
			got.cases = append(got.cases, fmt.Sprintf("flaky %s: %s: %s", c.Suite, c.Name, message))
		case c.Outcome != results.Passed:
			got.cases = append(got.cases, fmt.Sprintf("%s %s: %s: %s", c.Outcome, c.Suite, c.Name, message))
		}
	}
	return got, &sum
}

func (o outcome) String() string {
	return fmt.Sprintf("junit %t, counts %v, defect %q\n\t%s", o.junit, o.counts, o.defect, strings.Join(o.cases, "\n\t"))
}

// inChunks are readers that must make no difference.
var inChunks = map[string]func(io.Reader) io.Reader{
	"byte by byte":      iotest.OneByteReader,
	"in halves":         iotest.HalfReader,
	"with data and EOF": iotest.DataErrReader,
}

func expect(t *testing.T, xml string, want outcome) {
	t.Helper()
	got, sum := read(strings.NewReader(xml))
	if got.String() != want.String() {
		t.Errorf("read\n%s\nwant\n%s", got, want)
	}
	for name, chunks := range inChunks {
		if _, again := read(chunks(strings.NewReader(xml))); !same(sum, again) {
			t.Errorf("%s the result is different", name)
		}
	}
}

func same(a, b *results.Summary) bool {
	return a.Total() == b.Total() && a.Duration == b.Duration && a.DefectMessage == b.DefectMessage && slices.Equal(a.Cases(), b.Cases())
}

func TestFixtures(t *testing.T) {
	encoded := func(suite, name, message string) outcome {
		return outcome{true, [4]int64{0, 1}, []string{"Failed " + suite + ": " + name + ": " + message}, ""}
	}
	tests := map[string]outcome{
		"ant.xml": {true, [4]int64{1, 2, 1, 1}, []string{
			"Failed OldTest: connects: junit.framework.AssertionFailedError: not yet expected:<2> but was:<1>",
			"Failed OldTest: subtracts: junit.framework.AssertionFailedError: expected:<1> but was:<2>",
			"Errored OldTest: divides: java.lang.ArithmeticException: / by zero",
			"Skipped OldTest: gpu: ",
		}, ""},
		"bats.xml": {true, [4]int64{1, 1, 0, 1}, []string{
			"Failed calc.bats: subtracts <&>: failure",
			"Skipped calc.bats: gpu: no GPU here",
		}, ""},
		"catch2.xml": {true, [4]int64{2, 1, 1, 0}, []string{
			"Failed c.global: subtracts/three less one: 3 - 1 == 1",
			"Errored c.global: throws: TEST_CASE",
		}, ""},
		"dotnet.xml": {true, [4]int64{1, 1, 0, 1}, []string{
			"Failed Example.Tests.Calc: Numbers(n: 3): Assert.Equal() Failure",
			"Skipped Example.Tests.Calc: Gpu: ",
		}, ""},
		"gotestsum.xml": {true, [4]int64{2, 3, 0, 1}, []string{
			"Failed example.com/calc: TestSubtracts/three_less_one: Failed",
			"Failed example.com/calc: TestSubtracts: Failed",
			"Failed example.com/calc/broken: TestMain: Failed",
			"Skipped example.com/calc: TestGPU: === RUN   TestGPU",
		}, ""},
		"gradle.xml": {true, [4]int64{1, 1, 0, 1}, []string{
			"Failed com.example.CalcTest: subtracts(): org.opentest4j.AssertionFailedError: expected: <1> but was: <2>",
			"Skipped com.example.CalcTest: gpu(): ",
		}, ""},
		"gtest.xml": {true, [4]int64{2, 1, 0, 2}, []string{
			"Failed Calc: Subtracts: t.cc:3",
			"Skipped Calc: Gpu: t.cc:4",
			"Skipped Calc: DISABLED_Slow: ",
		}, ""},
		"jest.xml": {true, [4]int64{2, 1, 0, 1}, []string{
			"Failed Calc subtracts: Calc subtracts: Error: expect(received).toBe(expected) // Object.is equality",
			"Skipped Calc gpu: Calc gpu: ",
		}, ""},
		"junit5.xml": {true, [4]int64{1, 1, 1, 1}, []string{
			"Failed com.example.CalcTest: subtracts(): " +
				"org.opentest4j.AssertionFailedError: three less one ==> expected: <1> but was: <2>",
			"Errored com.example.CalcTest: divides(): java.lang.ArithmeticException: / by zero",
			"Skipped com.example.CalcTest: gpu(): no GPU here",
		}, ""},
		"mocha-junit.xml": {true, [4]int64{1, 3}, []string{
			"Failed subtracts: Calc subtracts: AssertionError [ERR_ASSERTION]: expected <1> & got 2",
			"Failed throws: Calc throws: Error: no database",
			"Failed divides: Calc deep divides: AssertionError [ERR_ASSERTION]: Expected values to be loosely deep-equal:",
		}, ""},
		"mocha-xunit.xml": {true, [4]int64{1, 3, 0, 1}, []string{
			"Failed Calc: subtracts: expected <1> & got 2",
			"Failed Calc: throws: no database",
			"Failed Calc deep: divides: Expected values to be loosely deep-equal:",
			"Skipped Calc: gpu: ",
		}, ""},
		"namespaces.xml": {true, [4]int64{1, 1}, []string{"Failed calc: subtracts: a \u00a0 b"}, ""},
		"node.xml": {true, [4]int64{1, 1, 0, 2}, []string{
			"Failed test: subtracts: Error [ERR_TEST_FAILURE]: 2 == 1",
			"Skipped test: gpu: true",
			"Skipped test: later: true",
		}, ""},
		"phpunit.xml": {true, [4]int64{2, 2, 2, 1}, []string{
			`Failed CalcTest: testSubtracts: PHPUnit\Framework\ExpectationFailedException`,
			`Failed CalcTest: testNumbers with data set "three": PHPUnit\Framework\ExpectationFailedException`,
			"Errored CalcTest: testThrows: RuntimeException",
			`Errored CalcTest: testRisky: PHPUnit\Framework\RiskyTestError`,
			"Skipped CalcTest: testGpu: ",
		}, ""},
		"pytest.xml": {true, [4]int64{4, 1, 2, 2}, []string{
			"Failed test_calc: test_subtracts: AssertionError: expected <1> & got #x1B[31m2#x1B[0m",
			`Errored test_calc: test_needs_database: failed on setup with "RuntimeError: no database"`,
			`Errored test_calc: test_leaks: failed on teardown with "RuntimeError: cannot clean up"`,
			"Skipped test_calc: test_gpu: no GPU here",
			"Skipped test_calc: test_known_bug: bug 42",
		}, ""},
		"banner-before.xml": {true, [4]int64{1, 1}, []string{"Failed till: closes: stuck"}, ""},
		"flaky-attribute.xml": {true, [4]int64{2}, []string{
			"flaky shop.TillTest: opens: java.lang.AssertionError: the till is locked",
		}, ""},
		"gotestsum-reruns.xml": {true, [4]int64{6}, []string{
			"flaky example.com/till: TestOpens: Failed",
			"flaky example.com/till: TestParts/drawer: Failed",
			"flaky example.com/till: TestParts: Failed",
			"flaky example.com/till: TestParts/printer: Failed",
		}, ""},
		"gradle-retry.xml": {true, [4]int64{2, 1}, []string{
			"Failed shop.CartTest: removes(): java.lang.AssertionError: not empty",
			"flaky shop.CartTest: adds(): java.net.SocketTimeoutException: no answer",
		}, ""},
		"karma-skipped.xml": {true, [4]int64{1, 0, 0, 1}, []string{
			"Skipped till: till opens: TypeError: till is undefined",
		}, ""},
		"node-todo.xml": {true, [4]int64{1, 0, 0, 1}, []string{"Skipped test: closes: soon"}, ""},
		"playwright-flaky.xml": {true, [4]int64{2, 1}, []string{
			"Failed retried.spec.js: never passes: expect(received).toBe(expected) // Object.is equality",
			"flaky retried.spec.js: passes on its third try: Error: expect(received).toBe(expected) // Object.is equality",
		}, ""},
		"playwright-retries.xml": {true, [4]int64{2, 1}, []string{
			"Failed till.spec.ts: till › closes: till.spec.ts:9:5 closes",
			"flaky till.spec.ts: till › opens: Error: expect(received).toBe(expected)",
		}, ""},
		"rerun-passed.xml": {true, [4]int64{2}, []string{"flaky example.com/shop: TestTill: Failed"}, ""},
		"skipped-with-failure.xml": {true, [4]int64{1, 0, 0, 1}, []string{
			"Skipped shop: shop opens: Error: set-up threw before the test was skipped",
		}, ""},
		"status-only.xml": {true, [4]int64{1, 2, 8, 4}, []string{
			"Errored x: a: ", "Errored x: b: ", "Failed x: c: ", "Errored x: e: ", "Errored x: f: ", "Errored x: g: ",
			"Errored x: i: ", "Errored x: k: ", "Errored x: l: ", "Failed x: m: ",
			"Skipped x: d: ", "Skipped x: h: ", "Skipped x: j: ", "Skipped x: n: ",
		}, ""},
		"surefire-reruns.xml": {true, [4]int64{2, 1}, []string{
			"Failed shop.TillTest: closes: java.lang.AssertionError: still open",
			"flaky shop.TillTest: counts: org.opentest4j.AssertionFailedError: expected: <2> but was: <1>",
		}, ""},
		"text-before-xml.xml": {true, [4]int64{1, 1}, []string{"Failed Deployment@apps/v1: till: bad field"}, ""},
		"surefire.xml": {true, [4]int64{2, 1, 1, 1}, []string{
			"Failed OldTest: subtracts: java.lang.AssertionError: expected:<1> but was:<2>",
			"Errored OldTest: divides: java.lang.ArithmeticException: / by zero",
			"flaky OldTest: connects: java.lang.AssertionError: not yet expected:<2> but was:<1>",
			"Skipped OldTest: gpu: no GPU here",
		}, ""},
		"unittest.xml": {true, [4]int64{1, 2, 1, 2}, []string{
			"Failed test_u.Calc: test_sub (i=1): 1 == 1",
			"Failed test_u.Calc: test_subtracts: 2 != 1",
			"Errored test_u.Calc: test_divides: division by zero",
			"Skipped test_u.Calc: test_gpu: no GPU here",
			"Skipped test_u.Calc: test_known_bug: expected failure: " +
				"(<class 'AssertionError'>, AssertionError('bug 42'), <traceback object at 0x7f0000000000>)",
		}, ""},
		"iso-8859-1.xml":   encoded("Prüfung", "größer", "naïve"),
		"windows-1252.xml": encoded("Prüfung", "größer", "“5 €”"),
		"shift_jis.xml":    encoded("計算", "引き算", "期待値は一"),
		"utf-8-bom.xml":    encoded("計算", "größer", "naïve 🙂"),
		"utf-16le.xml":     encoded("計算", "größer", "naïve 🙂"),
		"utf-16be.xml":     encoded("計算", "größer", "naïve 🙂"),
	}
	for _, file := range fixtures(t) {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			want, found := tests[name]
			if !found {
				t.Fatal("nothing says what is in it")
			}
			expect(t, string(content(t, file)), want)
		})
		delete(tests, name)
	}
	for name := range tests {
		t.Errorf("%s is missing", name)
	}
}

func fixtures(tb testing.TB) []string {
	tb.Helper()
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

func content(tb testing.TB, file string) []byte {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func TestWhatIsNoReport(t *testing.T) {
	const empty = "r.xml is empty, or breaks off before its first element"
	passed := [4]int64{1}
	noXML := outcome{true, [4]int64{}, nil, "r.xml is no XML"}
	tests := map[string]struct {
		xml  string
		want outcome
	}{
		"empty":                             {"", outcome{true, [4]int64{}, nil, empty}},
		"blank":                             {" \n\t\r\n", outcome{true, [4]int64{}, nil, empty}},
		"only a byte order mark":            {"\xef\xbb\xbf", outcome{true, [4]int64{}, nil, empty}},
		"only a declaration":                {`<?xml version="1.0"?>`, outcome{true, [4]int64{}, nil, empty}},
		"another format":                    {"TAP version 14\nok 1 - a < b\n", noXML},
		"zeros":                             {strings.Repeat("\x00", 99_999), noXML},
		"bytes":                             {"\x00\x01\x02<", noXML},
		"bytes in brackets":                 {"<\x01\x02>", noXML},
		"HTML":                              {"<!DOCTYPE html><html><testcase/>", outcome{}},
		"another XML":                       {"<testrun><testcase/></testrun>", outcome{}},
		"another XML that breaks off":       {`<html lang="`, outcome{}},
		"text before the root":              {"<?xml version='1.0'?>hello<testcase/>", outcome{true, passed, nil, ""}},
		"a line of a log before the XML":    {"WARN <shop> is slow: 1 < 2\n<?xml version='1.0'?>\n<testcase/>", outcome{true, passed, nil, ""}},
		"a shebang before the root":         {"#!/usr/bin/env xml\n<testcase/>", outcome{true, passed, nil, ""}},
		"npm's banner before the root":      {"\n> shop@1.0.0 test\n> mocha -R xunit\n\n<testcase/>", outcome{true, passed, nil, ""}},
		"zeros before the root":             {strings.Repeat("\x00", 99_999) + "<j:testcase/>", outcome{true, passed, nil, ""}},
		"a mark and a line before the XML":  {"\xef\xbb\xbfwarning\n\xef\xbb\xbf<?xml version='1.0'?><testcase/>", outcome{true, passed, nil, ""}},
		"much text before the XML":          {strings.Repeat("a line of a log < 100\n", 9999) + "<testcase/>", outcome{true, passed, nil, ""}},
		"text before what breaks off":       {"one\ntwo\n<testsuite>\n<testcase/>", outcome{true, passed, nil, "r.xml breaks off at line 4: the file ends inside <testsuite>"}},
		"text before an encoding":           {"one\n<?xml version='1.0' encoding='iso-8859-1'?><testcase name='\xfc'><failure/></testcase>", outcome{true, [4]int64{0, 1}, []string{"Failed : ü: "}, ""}},
		"text before another XML":           {"one\n<coverage><testcase/></coverage>", outcome{}},
		"text before HTML":                  {"one\n<!DOCTYPE html><html><testcase/></html>", outcome{}},
		"broken markup":                     {" <!-x><testsuite/>", noXML},
		"a tag that never ends":             {"<a" + strings.Repeat(" ", maxTag) + ">", outcome{}},
		"blanks before the root":            {strings.Repeat(" ", 2*maxText) + "<testcase/>", outcome{true, passed, nil, ""}},
		"ends in the declaration":           {"<?xml", outcome{true, [4]int64{}, nil, "r.xml breaks off at line 1: the file ends inside a tag or comment"}},
		"ends in the root's name":           {"\n<testsu", outcome{true, [4]int64{}, nil, "r.xml breaks off at line 2: the file ends inside a tag or comment"}},
		"ends in the root":                  {"<j:testsuite name='", outcome{true, [4]int64{}, nil, "r.xml breaks off at line 1: the file ends inside a tag or comment"}},
		"a root that is malformed":          {"<testsuite name=x>", outcome{true, [4]int64{}, nil, "r.xml breaks off at line 1: unquoted or missing attribute value in element"}},
		"ends in an element":                {"<testsuite>\n<testcase/>\n<!-- \n", outcome{true, passed, nil, "r.xml breaks off at line 4: the file ends inside <testsuite>"}},
		"ends in a case that passed":        {"<testcase><testcase>", outcome{true, [4]int64{}, nil, "r.xml breaks off at line 1: the file ends inside <testcase>"}},
		"ends in a case that failed":        {"<testcase name='a'><failure>x</failure><system-out><![CDATA[", outcome{true, [4]int64{0, 1}, []string{"Failed : a: x"}, "r.xml breaks off at line 1: the file ends inside <system-out>"}},
		"ends in a case in one that failed": {"<testcase name='a'><failure/><testcase name='b'>", outcome{true, [4]int64{0, 1}, []string{"Failed : a: "}, "r.xml breaks off at line 1: the file ends inside <testcase>"}},
		"ends in a failure":                 {"<testcase name='a'><failure>x", outcome{true, [4]int64{0, 1}, []string{"Failed : a: x"}, "r.xml breaks off at line 1: the file ends inside <failure>"}},
		"ends in an error of a suite":       {"<testsuite name='s' errors='1'><error>x", outcome{true, [4]int64{0, 0, 1}, []string{"Errored : s: x"}, "r.xml breaks off at line 1: the file ends inside <error>"}},
		"a wrong end":                       {"<testsuite>\n<testcase/></testcase>", outcome{true, passed, nil, "r.xml breaks off at line 2: unexpected </testcase>"}},
		"an end too many":                   {"<testcase/></testcase>", outcome{true, passed, nil, "r.xml breaks off at line 1: unexpected </testcase>"}},
		"broken markup further down":        {"<testsuite><testcase/><![foo[", outcome{true, passed, nil, "r.xml breaks off at line 1: invalid markup"}},
		"a comment after the root":          {"<testcase/>\n<!-- done -->\n", outcome{true, passed, nil, ""}},
		"a comment that breaks off":         {"<testcase/>\n<!-- done", outcome{true, passed, nil, "r.xml breaks off at line 2: the file ends inside a tag or comment"}},
		"blanks after the root":             {"<testcase/>" + strings.Repeat(" ", 2*maxText), outcome{true, passed, nil, ""}},
		"text after the root":               {"<testcase/>done", outcome{true, passed, nil, "r.xml has text after its first element"}},
		"another root":                      {"<testcase/><?xml?><testsuite><testcase/></testsuite>", outcome{true, [4]int64{2}, nil, "r.xml has more elements after its first element"}},
		"a tag that is too long":            {"<testcase/><a" + strings.Repeat(" ", maxTag) + ">", outcome{true, passed, nil, "r.xml breaks off at line 1: a tag is longer than 65536 bytes"}},
		"a name that is too long":           {"<testsuite><testcase/><" + strings.Repeat("a", 257) + ">", outcome{true, passed, nil, "r.xml breaks off at line 1: the name of an element is longer than 256 bytes"}},
		"elements of the allowed depth":     {strings.Repeat("<testsuite>", maxDepth) + strings.Repeat("</testsuite>", maxDepth), outcome{junit: true}},
		"elements that nest too deep":       {strings.Repeat("<testsuite>", maxDepth+1), outcome{true, [4]int64{}, nil, "r.xml breaks off at line 1: elements nest deeper than 100"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { expect(t, test.xml, test.want) })
	}
}

// What a report of several failing cases breaks off at, wherever that is, is no success, and never more than there is.
func TestEveryBeginningOfAReportIsIncomplete(t *testing.T) {
	for _, name := range []string{"surefire.xml", "gtest.xml", "namespaces.xml", "utf-16le.xml"} {
		text := content(t, "testdata/"+name)
		whole, _ := read(bytes.NewReader(text))
		step := 1
		if strings.HasPrefix(name, "utf-16") {
			step = 2 // half a character is none
		}
		for n := 0; n < bytes.LastIndexByte(text, '>'); n += step {
			got, sum := read(bytes.NewReader(text[:n]))
			if !got.junit || sum.Defect != results.Incomplete {
				t.Errorf("the first %d bytes of %s: %s", n, name, got)
			}
			for i, n := range got.counts {
				if n > whole.counts[i] {
					t.Errorf("the first %d bytes of %s have more cases than all: %s", n, name, got)
				}
			}
		}
	}
}

func TestReadErrorsAreNoted(t *testing.T) {
	broken := iotest.ErrReader(errors.New("input/output error"))
	tests := map[string]struct {
		before string
		want   outcome
	}{
		"at the beginning": {"", outcome{true, [4]int64{}, nil, "r.xml breaks off at line 1: input/output error"}},
		"after a case":     {"<testsuite>\n<testcase/>\n", outcome{true, [4]int64{1}, nil, "r.xml breaks off at line 3: input/output error"}},
		"in a tag":         {"<testsuite><testcase", outcome{true, [4]int64{}, nil, "r.xml breaks off at line 1: input/output error"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, _ := read(io.MultiReader(strings.NewReader(test.before), broken))
			if got.String() != test.want.String() {
				t.Errorf("read\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}
