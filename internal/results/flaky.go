package results

import (
	"slices"
	"time"
)

// Retry counts all attempts of a case as one case. A flaky case shows why its first attempt failed.
func (s *Summary) Retry(was Standing, c Case) {
	passed := c.Outcome == Passed
	if was.Failures == 0 || c.Outcome == Skipped || passed == was.Flaky {
		s.took(c.ownDuration()) // it stands as before
		return
	}
	kept := s.find(was.ID)
	if passed {
		s.uncount(was.Errored, 1)
		s.failing = without(s.failing, kept)
	} else {
		s.Passed, s.Flaky, s.flaky = s.Passed-1, s.Flaky-1, without(s.flaky, kept)
	}
	if kept != nil {
		c.Message, c.Location = kept.Message, kept.Location
	}
	c.Flaky = passed
	s.count(was.ID, c)
}

// Separate counts the attempts of a flaky case as cases of their own.
func (s *Summary) Separate(was Standing) {
	shown := s.find(was.ID)
	s.Passed, s.Flaky, s.flaky = s.Passed+int64(was.Passes)-1, s.Flaky-1, without(s.flaky, shown)
	s.uncount(was.Errored, -int64(was.Failures))
	if shown == nil {
		return
	}
	s.others = with(s.others, Case{Name: shown.Name, Suite: shown.Suite, Outcome: Passed}, was.Passes)
	failed := shown.Case
	failed.Flaky, failed.Outcome = false, Failed
	if was.Errored {
		failed.Outcome = Errored
	}
	if len(s.failing) < MaxCases {
		s.failing = append(s.failing, new(keptCase{failed, was.ID}))
	}
	failed.Message = "" // only the message of the first one was kept
	s.failing = with(s.failing, failed, was.Failures-1)
}

// with adds n copies of a case, or as many as there is room for.
func with(cases []*keptCase, c Case, n int32) []*keptCase {
	for ; n > 0 && len(cases) < MaxCases; n-- {
		cases = append(cases, new(keptCase{Case: c}))
	}
	return cases
}

// uncount subtracts n cases from those that failed or errored.
func (s *Summary) uncount(errored bool, n int64) {
	if errored {
		s.Errored -= n
		return
	}
	s.Failed -= n
}

// ownDuration is what the case adds to the total duration.
func (c *Case) ownDuration() time.Duration {
	if c.Nested {
		return 0
	}
	return c.Duration
}

// without returns the cases except one. It does not change the slice, which a copy of the summary may share.
func without(cases []*keptCase, one *keptCase) []*keptCase {
	i := slices.Index(cases, one)
	if one == nil || i < 0 {
		return cases
	}
	return slices.Concat(cases[:i], cases[i+1:])
}
