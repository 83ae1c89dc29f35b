package ingest

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/testrun-dev/testrun/internal/archive/blobs"
)

// SweepStore knows which blobs have a row.
type SweepStore interface {
	// Unnamed returns those of the keys that no row names.
	Unnamed(ctx context.Context, keys []string) ([]string, error)
	// Garbage returns keys of blobs that no row names any more, and Forget forgets them.
	Garbage(ctx context.Context, limit int) ([]string, error)
	Forget(ctx context.Context, keys []string) error
}

// Sweeper removes blobs without a row: those of which retention has deleted the row, and those whose row was never written, because somebody
// died in between.
//
// A blob that is being written has no row yet. So one without a row is removed only if it is older than an hour, and had none when it was
// looked at minutes before. That holds even if the clock jumps: the minutes are measured without it.
type Sweeper struct {
	store SweepStore
	blobs blobs.Blobs
	// age is how old a blob without a row has to be, and grace how long it has to be known to have none.
	age, grace time.Duration
	// after is the key up to which the blobs were looked at.
	after string
	// suspects are blobs that had no row when they were looked at, at most maxSuspects.
	suspects map[string]suspect
	// round counts how often all blobs were looked at.
	round int
}

// suspect says since when, and in which round last, a blob had no row.
type suspect struct {
	since time.Time
	round int
}

const (
	sweepAge   = time.Hour
	sweepGrace = 5 * time.Minute
	// sweepPages is how many pages of blobs one sweep looks at.
	sweepPages  = 20
	maxSuspects = 10_000
)

// NewSweeper makes a Sweeper. It is not for concurrent use.
func NewSweeper(store SweepStore, kept blobs.Blobs) *Sweeper {
	return &Sweeper{store: store, blobs: kept, age: sweepAge, grace: sweepGrace, suspects: map[string]suspect{}}
}

// Sweep does a bounded part of the work, and the next one goes on from there. It returns how many blobs it has removed.
func (s *Sweeper) Sweep(ctx context.Context) (removed int, err error) {
	if removed, err = s.sweepGarbage(ctx); err != nil {
		return removed, fmt.Errorf("removing blobs whose rows were deleted: %w", err)
	}
	for range sweepPages {
		page, err := s.blobs.List(ctx, "", s.after, blobs.MaxList)
		if err != nil {
			return removed, err
		}
		n, err := s.sweepPage(ctx, page)
		removed += n
		if err != nil {
			return removed, fmt.Errorf("removing blobs without a row: %w", err)
		}
		if len(page) < blobs.MaxList {
			s.nextRound()
			return removed, nil
		}
		s.after = page[len(page)-1].Key
	}
	return removed, nil
}

// nextRound begins anew, and forgets what is there no more or has a row by now.
func (s *Sweeper) nextRound() {
	maps.DeleteFunc(s.suspects, func(_ string, suspect suspect) bool { return suspect.round != s.round })
	s.round++
	s.after = ""
}

// sweepGarbage removes blobs first, and then says so: who dies in between removes them again.
func (s *Sweeper) sweepGarbage(ctx context.Context) (removed int, err error) {
	for range sweepPages {
		keys, err := s.store.Garbage(ctx, blobs.MaxList)
		if err != nil || len(keys) == 0 {
			return removed, err
		}
		if err := s.blobs.Delete(ctx, keys...); err != nil {
			return removed, err
		}
		if err := s.store.Forget(ctx, keys); err != nil {
			return removed, err
		}
		removed += len(keys)
	}
	return removed, nil
}

func (s *Sweeper) sweepPage(ctx context.Context, page []blobs.Blob) (removed int, err error) {
	var old []string
	for _, blob := range page {
		if time.Since(blob.Modified) >= s.age {
			old = append(old, blob.Key)
		}
	}
	if len(old) == 0 {
		return 0, nil
	}
	unnamed, err := s.store.Unnamed(ctx, old)
	if err != nil {
		return 0, err
	}
	var condemned []string
	for _, key := range unnamed {
		known, suspected := s.suspects[key]
		switch {
		case suspected && time.Since(known.since) >= s.grace:
			condemned = append(condemned, key)
		case suspected:
			s.suspects[key] = suspect{known.since, s.round}
		case len(s.suspects) < maxSuspects:
			s.suspects[key] = suspect{time.Now(), s.round}
		}
	}
	if err := s.blobs.Delete(ctx, condemned...); err != nil {
		return 0, err
	}
	for _, key := range condemned {
		delete(s.suspects, key)
	}
	return len(condemned), nil
}
