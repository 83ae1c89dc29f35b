package tap

import (
	"testing"

	"github.com/testrun-dev/testrun/internal/results"
)

func TestWordsThatMayBeAnotherFilesAreGivenToNone(t *testing.T) {
	const died = "Dubious, test returned 2 (wstat 512, 0x200)"
	stdout := lines("a.t .. ", "1..1", "ok 1", died, "b.t .. ", "1..1", "ok 1", died, "c.t .. ", "1..1", "ok 1", "ok")
	want := lines(
		"recognized true: 3 passed, 0 failed, 2 errored, 0 skipped in 0s", "Errored a.t", "\t"+died, "Errored b.t", "\t"+died,
		"Passed [a.t] test 1", "Passed [b.t] test 1", "Passed [c.t] test 1",
	)
	if got := describe(read(stdout, "deprecated\n", wholly, false)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWordsAreGivenToOneFileAlone(t *testing.T) {
	const died = "Dubious, test returned 2 (wstat 512, 0x200)"
	var s results.Summary
	r := New(&s)
	for _, step := range []struct{ stdout, stderr string }{
		{lines("a.t .. ", "1..1", "ok 1", died), ""},
		{lines("b.t .. "), lines("no server")},
		{lines("1..1", "ok 1", died, "c.t .. ", "1..1", "ok 1", "ok"), ""},
	} {
		_, _ = r.Write([]byte(step.stdout))
		_, _ = r.Stderr().Write([]byte(step.stderr))
	}
	r.Close()
	if cases := s.Cases(); cases[0].Message != died || cases[1].Message != died+"\nno server" {
		t.Errorf("they say %q and %q", cases[0].Message, cases[1].Message)
	}
}
