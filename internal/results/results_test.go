package results

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestASummaryCountsAll(t *testing.T) {
	var s Summary
	for i, outcome := range []Outcome{Passed, Failed, Errored, Skipped, Passed, "Unheard"} {
		s.Add(Case{Name: fmt.Sprint(i), Outcome: outcome, Duration: time.Second, Nested: i == 0})
	}
	s.Add(Case{Outcome: Passed, Duration: -time.Hour})
	if s.Passed != 3 || s.Failed != 1 || s.Errored != 2 || s.Skipped != 1 || s.Total() != 7 {
		t.Errorf("it counts %+v", s)
	}
	if s.Duration != 5*time.Second {
		t.Errorf("it took %s", s.Duration)
	}
	s.Add(Case{Outcome: Passed, Duration: math.MaxInt64})
	if s.Duration != math.MaxInt64 {
		t.Errorf("it took longer than can be said, and says %s", s.Duration)
	}
}

func TestASummaryKeepsFailingCasesFirstAndForgetsPassedOnes(t *testing.T) {
	var s Summary
	for i := range 100 {
		s.Add(Case{Name: fmt.Sprintf("passed %d", i), Outcome: Passed})
	}
	s.Add(Case{Name: "skipped", Outcome: Skipped})
	for i := range 49 {
		s.Add(Case{Name: fmt.Sprintf("failed %d", i), Outcome: Failed, Message: strings.Repeat("x", 2*MaxMessage)})
	}
	cases := s.Cases()
	if len(cases) != MaxCases || cases[0].Name != "failed 0" || cases[48].Name != "failed 48" || cases[49].Name != "passed 0" {
		t.Errorf("it keeps %d cases: %v", len(cases), cases)
	}
	if got := Size(cases[0].Message); got > MaxMessage {
		t.Errorf("a message of %d bytes is kept", got)
	}
}

func TestACaseThatIsKeptCanBeExplainedLater(t *testing.T) {
	var s Summary
	id, _ := s.Add(Case{Name: "a", Outcome: Failed, Message: "no", Location: "a.go:1"})
	s.Explain(id, strings.Repeat("x", 2*MaxMessage), "a.go:2")
	if c := s.Cases()[0]; !strings.HasPrefix(c.Message, "xxx") || Size(c.Message) > MaxMessage || c.Location != "a.go:2" {
		t.Errorf("it says %.20q in %d bytes, of %s", c.Message, Size(c.Message), c.Location)
	}
	for range MaxCases {
		id, kept := s.Add(Case{Outcome: Failed})
		if kept != (s.Total() <= MaxCases) || int64(id) != s.Total() {
			t.Errorf("case %d: its number is %d, kept is %t", s.Total(), id, kept)
		}
		s.Explain(id, "late", "")
	}
	if last := s.Cases()[MaxCases-1]; last.Message != "late" {
		t.Errorf("the last says %q", last.Message)
	}
}

func TestASummaryShowsSkippedCasesBeforePassedOnes(t *testing.T) {
	var s Summary
	for i, outcome := range []Outcome{Passed, Skipped, Errored, Passed, Skipped, Failed} {
		s.Add(Case{Name: fmt.Sprint(i), Outcome: outcome})
	}
	var order []string
	for _, c := range s.Cases() {
		order = append(order, c.Name)
	}
	if want := []string{"2", "5", "1", "4", "0", "3"}; !slices.Equal(order, want) {
		t.Errorf("the order is %v, want %v", order, want)
	}
}

func TestFlakyCasesArePassedAndShownBehindFailingOnes(t *testing.T) {
	var s Summary
	for i := range 60 {
		s.Add(Case{Name: fmt.Sprintf("passed %d", i), Outcome: Passed})
	}
	s.Add(Case{Name: "skipped", Outcome: Skipped})
	s.Add(Case{Name: "flaky", Outcome: Passed, Flaky: true, Message: "not at first"})
	s.Add(Case{Name: "failed", Outcome: Failed, Flaky: true})
	cases := s.Cases()
	if s.Passed != 61 || s.Flaky != 1 || cases[0].Name != "failed" || cases[0].Flaky || cases[1].Name != "flaky" || !cases[1].Flaky {
		t.Errorf("%d passed, %d flaky, shown are %+v", s.Passed, s.Flaky, cases[:3])
	}
}

func TestASummaryKeepsNoDetails(t *testing.T) {
	var s Summary
	s.Add(Case{Outcome: Failed, Details: &Details{Output: "long"}})
	if s.Cases()[0].Details != nil {
		t.Error("the summary keeps the details")
	}
}

func TestASummaryTakesTextsWhileThereIsRoomForFailures(t *testing.T) {
	var s Summary
	for range MaxCases {
		if got := s.Takes(); got != Texts {
			t.Errorf("after %d failures it takes %d", s.Failed, got)
		}
		s.Add(Case{Outcome: Failed})
	}
	if got := s.Takes(); got != CountOnly {
		t.Errorf("it takes %d", got)
	}
}

func TestTheGravestDefectIsKept(t *testing.T) {
	tests := map[string]struct {
		noted []Defect
		want  Defect
		index int
	}{
		"none":                     {nil, "", 0},
		"the first of equals":      {[]Defect{Incomplete, Incomplete}, Incomplete, 0},
		"a graver one later":       {[]Defect{Incomplete, PlanNotReached, BailedOut}, BailedOut, 2},
		"a lesser one later":       {[]Defect{BailedOut, Incomplete}, BailedOut, 0},
		"what is no defect is not": {[]Defect{"Bored"}, "", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var s Summary
			for i, defect := range test.noted {
				s.Note(defect, fmt.Sprint(i))
			}
			message := ""
			if test.want != "" {
				message = fmt.Sprint(test.index)
			}
			if s.Defect != test.want || s.DefectMessage != message {
				t.Errorf("it keeps %s: %s", s.Defect, s.DefectMessage)
			}
		})
	}
}

func TestMergingIsAddingOneAfterTheOther(t *testing.T) {
	var one, other, both Summary
	for i := range 120 {
		c := Case{Name: fmt.Sprint(i), Outcome: []Outcome{Passed, Failed, Skipped}[i%3], Duration: time.Second, Flaky: i%9 == 0}
		both.Add(c)
		if i < 60 {
			one.Add(c)
		} else {
			other.Add(c)
		}
	}
	other.Note(BailedOut, "over")
	both.Note(BailedOut, "over")
	one.Merge(&other)
	other.Explain(other.failing[0].id, "what is learned later is told to one of them", "")
	if one.Total() != both.Total() || one.Flaky != both.Flaky || one.Duration != both.Duration || one.Defect != both.Defect || !slices.Equal(one.Cases(), both.Cases()) {
		t.Errorf("merged: %+v\nadded: %+v", one, both)
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	tests := map[string]struct {
		writes []string
		want   []string
	}{
		"whole lines":                {[]string{"a\nb\r\n\nc\n"}, []string{"a", "b", "", "c"}},
		"a line in pieces":           {[]string{"a", "b", "c\nd", "e"}, []string{"abc", "de"}},
		"a line end in pieces":       {[]string{"a\r", "\nb\n"}, []string{"a", "b"}},
		"a last line without an end": {[]string{"a\nb"}, []string{"a", "b"}},
		"an empty stream":            {nil, nil},
		"a long line is cut":         {[]string{long + "yy\nz\n"}, []string{long, "z"}},
		"a long line in pieces":      {[]string{"x", long, long, "\nz"}, []string{long, "z"}},
		"empty lines in pieces":      {[]string{"\n", "\n"}, []string{"", ""}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			lines := Lines{Each: func(line []byte) { got = append(got, string(line)) }}
			for _, text := range test.writes {
				if n, err := lines.Write([]byte(text)); n != len(text) || err != nil {
					t.Errorf("it took %d of %d bytes: %v", n, len(text), err)
				}
			}
			lines.Close()
			if !slices.Equal(got, test.want) {
				t.Errorf("%d lines, want %d: %.100q", len(got), len(test.want), got)
			}
		})
	}
}
