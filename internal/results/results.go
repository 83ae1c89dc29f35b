// Package results is the model of what a test reports: cases, a Sink for them, and a Summary that counts them in constant memory,
// however many there are. Its folders tap, junit and gotest read the formats that test tools speak.
package results

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Outcome says how a case ended.
type Outcome string

// The outcomes.
const (
	// Passed means that the case succeeded, or failed as expected.
	Passed Outcome = "Passed"
	// Failed means that the case ran and did not succeed.
	Failed Outcome = "Failed"
	// Errored means that the case could not be run to its end.
	Errored Outcome = "Errored"
	// Skipped means that the case was not run, or that it is known to fail for now.
	Skipped Outcome = "Skipped"
)

// Format names a format of results.
type Format string

// The formats.
const (
	// TAP is the Test Anything Protocol, versions 12 to 14.
	TAP Format = "TAP"
	// JUnit is the XML that JUnit's first Ant task wrote, in its many dialects.
	JUnit Format = "JUnit"
	// GoTest is what `go test -json` prints.
	GoTest Format = "GoTest"
)

// Case is one case of a test.
type Case struct {
	Name string
	// Suite is what the case belongs to: a file, class or package. Empty if nothing says so.
	Suite   string
	Outcome Outcome
	// Duration is how long the case took; 0 if nothing says so.
	Duration time.Duration
	// Message says why the case did not pass. For a flaky case it says why the first attempt failed. Most passed cases have none.
	Message string
	// Location is where in the source the case stands or failed: a file, or file:line. Empty if nothing says so.
	Location string
	// Flaky means that the case passed after an earlier attempt in the same run had failed.
	Flaky bool
	// Nested means that the case is a part of another one, whose duration includes it.
	Nested bool
	// Details is nil unless the Sink takes them.
	Details *Details
}

// Details is what a test attaches to a case: bounded by the reader, not cleaned.
type Details struct {
	Properties []Property
	// Output is what the case itself printed.
	Output string
	// Attachments are paths of files, as the test gives them: they may be absolute, wrong, or lead anywhere.
	Attachments []string
}

// Property is a name and a value that a test gives to a case.
type Property struct{ Name, Value string }

// Limits of what is kept. MaxCases counts cases, the others bytes as Size counts them.
const (
	MaxCases    = 50
	MaxName     = 256
	MaxLocation = 256
	MaxMessage  = 1024
)

// Defect says why the results are not whole. A test with a defect has not passed, whatever its cases say.
type Defect string

// The defects. Each is worse than the one before.
const (
	// Incomplete means that the results break off or cannot be read to their end.
	Incomplete Defect = "Incomplete"
	// PlanNotReached means that the results announce a number of cases and have another.
	PlanNotReached Defect = "PlanNotReached"
	// BailedOut means that the test gave up.
	BailedOut Defect = "BailedOut"
)

var gravity = map[Defect]int{Incomplete: 1, PlanNotReached: 2, BailedOut: 3}

// Summary is a Sink that counts cases and keeps the most important ones, in constant memory. Its zero value is empty.
type Summary struct {
	Passed, Failed, Errored, Skipped int64
	// Flaky is the number of those passed cases that are flaky.
	Flaky int64
	// Duration is the time that the cases took, added up.
	Duration time.Duration
	// Defect is the worst one that was noted, and the first of equals; empty if there is none. DefectMessage explains it.
	Defect        Defect
	DefectMessage string
	// added is how many cases were added.
	added                  ID
	failing, flaky, others []*keptCase
}

// keptCase is a case with its number. The number is 0 for a copy that nobody will ask for.
type keptCase struct {
	Case
	id ID
}

// Add counts a case, and keeps it if there is room. An outcome that is none of the four counts as Errored.
func (s *Summary) Add(c Case) (id ID, kept bool) {
	s.added++
	return s.added, s.count(s.added, c)
}

func (s *Summary) count(id ID, c Case) (kept bool) {
	list := &s.others
	c.Flaky = c.Flaky && c.Outcome == Passed
	switch c.Outcome {
	case Passed:
		s.Passed++
		if c.Flaky {
			s.Flaky++
			list = &s.flaky
		}
	case Skipped:
		s.Skipped++
	case Failed:
		s.Failed++
		list = &s.failing
	default:
		c.Outcome = Errored
		s.Errored++
		list = &s.failing
	}
	s.took(c.ownDuration())
	if len(*list) == MaxCases {
		return false
	}
	c.Name, c.Suite = Cut(c.Name, MaxName), Cut(c.Suite, MaxName)
	c.Message, c.Location, c.Details = Cut(c.Message, MaxMessage), Cut(c.Location, MaxLocation), nil
	*list = append(*list, new(keptCase{c, id}))
	return true
}

// Explain replaces the message and the location, if the case is kept.
func (s *Summary) Explain(id ID, message, location string) {
	if kept := s.find(id); kept != nil {
		kept.Message, kept.Location = Cut(message, MaxMessage), Cut(location, MaxLocation)
	}
}

// Timed adds to the duration, and cuts the names that are kept.
func (s *Summary) Timed(first, last ID, total time.Duration) {
	for _, list := range [...][]*keptCase{s.failing, s.flaky, s.others} {
		for _, kept := range list {
			if title, took, ok := CutTime(kept.Name); ok && first <= kept.id && kept.id <= last {
				kept.Name, kept.Duration = Cut(title, MaxName), took
			}
		}
	}
	s.took(total)
}

// Takes returns CountOnly once there is no room for another failure.
func (s *Summary) Takes() Extent {
	if s.Failed+s.Errored < MaxCases {
		return Texts
	}
	return CountOnly
}

// find returns a case that is kept; nil if it is not.
func (s *Summary) find(id ID) *keptCase {
	if id == 0 {
		return nil
	}
	for _, list := range [...][]*keptCase{s.failing, s.flaky, s.others} {
		for _, kept := range list {
			if kept.id == id {
				return kept
			}
		}
	}
	return nil
}

// took adds to the duration. It stops at the longest duration that Go can hold, instead of becoming negative.
func (s *Summary) took(d time.Duration) {
	s.Duration += min(max(0, d), math.MaxInt64-s.Duration)
}

// Note says that the results are not whole, and why in words for people.
func (s *Summary) Note(defect Defect, message string) {
	if gravity[defect] > gravity[s.Defect] {
		s.Defect, s.DefectMessage = defect, Cut(message, MaxMessage)
	}
}

// Merge adds what another summary has so far.
func (s *Summary) Merge(other *Summary) {
	s.Passed, s.Failed, s.Errored, s.Skipped = s.Passed+other.Passed, s.Failed+other.Failed, s.Errored+other.Errored, s.Skipped+other.Skipped
	s.Flaky += other.Flaky
	s.took(other.Duration)
	s.failing = firstCases(append(s.failing, copies(other.failing)...))
	s.flaky = firstCases(append(s.flaky, copies(other.flaky)...))
	s.others = firstCases(append(s.others, copies(other.others)...))
	s.Note(other.Defect, other.DefectMessage)
}

// Total is the number of cases.
func (s *Summary) Total() int64 { return s.Passed + s.Failed + s.Errored + s.Skipped }

// Cases returns at most MaxCases of the cases: first those that failed or errored, then the flaky, the skipped and the passed
// ones. Cases of one kind are in the order in which they were added.
func (s *Summary) Cases() []Case {
	others := slices.Clone(s.others)
	slices.SortStableFunc(others, func(a, b *keptCase) int { return -cmp.Compare(a.Outcome, b.Outcome) })
	kept := firstCases(slices.Concat(s.failing, s.flaky, others))
	cases := make([]Case, len(kept))
	for i, c := range kept {
		cases[i] = c.Case
	}
	return cases
}

func copies(cases []*keptCase) []*keptCase {
	copied := make([]*keptCase, len(cases))
	for i, c := range cases {
		copied[i] = new(*c)
	}
	return copied
}

func firstCases(cases []*keptCase) []*keptCase { return cases[:min(len(cases), MaxCases)] }
