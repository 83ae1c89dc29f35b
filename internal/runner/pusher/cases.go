//go:build linux

package pusher

import (
	"encoding/json"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

// Limits of a line, in bytes as results.Size counts them.
const (
	maxName    = 1 << 10
	maxMessage = 8 << 10
)

// firstApart is the number of the first case that turned out late to be a case of its own.
const firstApart = 1 << 32

// caseList writes the stream of cases. A test may speak several formats, and only the cases of one are the test's: of the format that the
// report shows. That is known for sure only at the end. While the test runs, it is taken for the best of the formats that have had a case:
// one that was recognized rather than one that was not, and then by rank. When a better one has its first case, the numbers begin again, so
// that its cases replace those of the other one. At the end, those that are left over are withdrawn.
type caseList struct {
	pusher *Pusher
	shown  *Sink
	// left is the highest number that a format used which is not shown any more.
	left int64
	// apart is how many cases have a number from firstApart on, and apartBefore how many of them are of other formats.
	apart, apartBefore int64
}

// Sink is a results.Sink that counts the cases of one format, and pushes them if it is the one that is shown.
type Sink struct {
	*results.Summary
	Format
	list  *caseList
	known known
	// added is the number of the latest case. missed is how many came before the format was shown for good.
	added, missed int64
}

// Format is a format that a test may speak.
type Format struct {
	Name results.Format
	// Rank decides between two formats: the one with the lower rank is shown.
	Rank int
	// Recognized says whether the test speaks it for certain.
	Recognized func() bool
	// Planned says how many cases there will be, 0 if that is not known. It may be nil.
	Planned func() int64
}

// Sink returns a sink for a format. It counts in sum, and may be used by one goroutine at a time.
func (p *Pusher) Sink(format Format, sum *results.Summary) *Sink {
	return &Sink{Summary: sum, Format: format, list: &p.list}
}

var _ results.Sink = (*Sink)(nil)

// Takes says that the texts of all cases are pushed, also of those that the report has no room for.
func (s *Sink) Takes() results.Extent { return max(s.Summary.Takes(), results.Texts) }

// Add counts a case and pushes it.
func (s *Sink) Add(c results.Case) (id results.ID, kept bool) {
	id, kept = s.Summary.Add(c)
	defer s.list.lock()()
	s.added = int64(id)
	if !s.isShown() {
		s.missed++
		return id, kept
	}
	s.write(s.added, s.known.add(s.added, normal(c), s.Name == results.TAP, s.write))
	s.progress()
	return id, true
}

// Retry replaces the line of a case, as Summary.Retry replaces the case.
func (s *Sink) Retry(was results.Standing, c results.Case) {
	s.Summary.Retry(was, c)
	passed := c.Outcome == results.Passed
	if was.Failures == 0 || c.Outcome == results.Skipped || passed == was.Flaky {
		return
	}
	defer s.list.lock()()
	if s.list.shown != s {
		return
	}
	c = normal(c)
	if first := s.known.find(int64(was.ID)); first != nil {
		c.Message, c.Location = first.Message, first.Location
	}
	c.Flaky = passed
	s.known.keep(int64(was.ID), c)
	s.write(int64(was.ID), c)
	s.progress()
}

// Separate pushes the attempts of a case as cases of their own.
func (s *Sink) Separate(was results.Standing) {
	s.Summary.Separate(was)
	defer s.list.lock()()
	if s.list.shown != s {
		return
	}
	s.progress()
	flaky := s.known.find(int64(was.ID))
	if flaky == nil {
		s.list.pusher.missing.add("case %d is said to be flaky; in fact %d attempts of it that passed and %d that failed are cases of their own", was.ID, was.Passes, was.Failures)
		return
	}
	failed := flaky.Case
	failed.Flaky, failed.Outcome = false, results.Failed
	if was.Errored {
		failed.Outcome = results.Errored
	}
	s.known.keep(int64(was.ID), failed)
	s.write(int64(was.ID), failed)
	failed.Message, failed.Duration = "", 0
	for range was.Failures - 1 {
		s.writeApart(failed)
	}
	for range was.Passes {
		s.writeApart(results.Case{Name: failed.Name, Suite: failed.Suite, Outcome: results.Passed})
	}
}

// Explain replaces the message and the location of a case.
func (s *Sink) Explain(id results.ID, message, location string) {
	s.Summary.Explain(id, message, location)
	defer s.list.lock()()
	if c := s.known.find(int64(id)); c != nil && s.list.shown == s {
		explained := c.Case
		explained.Message, explained.Location = message, location
		s.write(int64(id), s.known.keep(int64(id), normal(explained)).Case)
	}
}

// Timed settles that the names of cases ended with the time they took.
func (s *Sink) Timed(first, last results.ID, total time.Duration) {
	s.Summary.Timed(first, last, total)
	defer s.list.lock()()
	s.known.timed(int64(first), int64(last), s.write)
}

// isShown says whether the cases of the format are pushed. A format that is better than the one so far takes its place.
func (s *Sink) isShown() bool {
	l := s.list
	switch {
	case l.shown == s:
		return true
	case l.shown == nil || s.isBetterThan(l.shown):
		l.replace(s)
		return true
	}
	return false
}

func (s *Sink) isBetterThan(other *Sink) bool {
	if mine := s.Recognized(); mine != other.Recognized() {
		return mine
	}
	return s.Rank < other.Rank
}

func (s *Sink) progress() {
	p := s.list.pusher
	begins := p.progress.now == p.progress.told
	p.progress.now = push.Progress{Done: s.Total(), Failed: s.Failed + s.Errored}
	if s.Planned != nil {
		if total := s.Planned(); total >= s.Total() {
			p.progress.now.Total = total
		}
	}
	if begins {
		p.wake()
	}
}

func (s *Sink) write(number int64, c results.Case) { s.list.write(number, c) }

func (s *Sink) writeApart(c results.Case) {
	s.list.write(firstApart+s.list.apart, c)
	s.list.apart++
}

// lock locks the pusher, and returns what unlocks it.
func (l *caseList) lock() (unlock func()) {
	l.pusher.mu.Lock()
	return l.pusher.mu.Unlock
}

// replace shows another format from now on; none if it is nil.
func (l *caseList) replace(s *Sink) {
	if l.shown != nil {
		l.left = max(l.left, l.shown.added)
		l.shown.missed = l.shown.added
		l.shown.known.forget()
	}
	l.shown = s
	for ; l.apartBefore < l.apart; l.apartBefore++ {
		l.withdraw(firstApart + l.apartBefore)
	}
}

// end ends the stream. shown is the format that the report shows.
func (l *caseList) end(shown results.Format) {
	if l.shown != nil && l.shown.Name != shown {
		l.replace(nil)
	}
	first, last := int64(0), int64(0) // numbers up to first, and beyond last, are not those of the cases that are shown
	if l.shown != nil {
		first, last = l.shown.missed, l.shown.added
		l.shown.known.end(l.shown.write)
		if first > 0 {
			l.pusher.missing.add("the first %d cases: the test was taken to speak another format than %s", first, shown)
		}
	}
	for number := int64(1); number <= l.left; number++ {
		if number <= first || number > last {
			l.withdraw(number)
		}
	}
}

func (l *caseList) withdraw(number int64) { l.line(push.Case{Number: number}) }

func (l *caseList) write(number int64, c results.Case) {
	l.line(push.Case{
		Number: number, Name: c.Name, Suite: c.Suite, Outcome: c.Outcome, Microseconds: c.Duration.Microseconds(),
		Location: c.Location, Message: c.Message, Flaky: c.Flaky, Nested: c.Nested,
	})
}

func (l *caseList) line(c push.Case) {
	encoded, err := json.Marshal(c)
	if err != nil {
		panic(err) // the type holds nothing that JSON cannot say
	}
	l.pusher.line(append(encoded, '\n'))
}

// normal is a case as it is pushed: bounded, and with one of the four outcomes.
func normal(c results.Case) results.Case {
	switch c.Outcome {
	case results.Passed, results.Failed, results.Errored, results.Skipped:
	default:
		c.Outcome = results.Errored
	}
	c.Flaky = c.Flaky && c.Outcome == results.Passed
	c.Name, c.Suite = results.Cut(c.Name, maxName), results.Cut(c.Suite, maxName)
	c.Message, c.Location, c.Details = results.Cut(c.Message, maxMessage), results.Cut(c.Location, maxName), nil
	return c
}
