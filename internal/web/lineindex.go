package web

import (
	"context"
	"fmt"

	"golang.org/x/sync/singleflight"
	"k8s.io/utils/lru"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
)

// How far apart the places are that an index knows, in bytes, and of how many outputs one is remembered.
const (
	indexEvery = 256 << 10
	maxIndexes = 256
)

// lineIndex knows where lines of an output begin, so that none has to be counted twice.
type lineIndex struct {
	// stored, length and source say of which state of the stream it is.
	stored, length int64
	source         archive.Source
	// places are in order; the first is that of line 1.
	places []linePlace
	// total is how many lines there are.
	total int64
}

// before is the last place that is known at or before a line.
func (x *lineIndex) before(number int64) int {
	found := 0
	for i, place := range x.places { // some thousands at most
		if place.number <= number {
			found = i
		}
	}
	return found
}

// lineIndexes are those of the outputs that were read last.
type lineIndexes struct {
	known  *lru.Cache
	making singleflight.Group
}

func newLineIndexes() *lineIndexes { return &lineIndexes{known: lru.New(maxIndexes)} }

// of is the index of an output. What is known of an older state is gone on from, up to its first gap.
func (x *lineIndexes) of(ctx context.Context, k kept, state archive.StreamState) (*lineIndex, error) {
	key := fmt.Sprintf("%s/%d", k.uid, k.attempt)
	var old *lineIndex
	if found, ok := x.known.Get(key); ok {
		old = found.(*lineIndex)
	}
	if old != nil && old.stored == state.Stored && old.length == state.Length && old.source == state.Source {
		return old, nil
	}
	made, err, _ := x.making.Do(fmt.Sprintf("%s/%d/%d/%s", key, state.Stored, state.Length, state.Source), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout) // others may wait for it too
		defer cancel()
		index := &lineIndex{stored: state.Stored, length: state.Length, source: state.Source, places: []linePlace{{1, 0}}}
		if old != nil && old.source == state.Source {
			for _, place := range old.places[1:] {
				if place.offset <= old.length {
					index.places = append(index.places, place)
				}
			}
		}
		last := index.places[len(index.places)-1]
		end, err := k.lines(ctx, last, func(l line) bool {
			if l.offset-last.offset >= indexEvery {
				last = linePlace{l.number, l.offset}
				index.places = append(index.places, last)
			}
			return true
		})
		index.total = end.number - 1
		if err == nil {
			x.known.Add(key, index)
		}
		return index, err
	})
	if err != nil {
		return nil, err
	}
	return made.(*lineIndex), nil
}

// outputOf is the output of an attempt, with its index.
func (s *server) outputOf(ctx context.Context, run archive.Run, number int32) (lineList LineList, k kept, index *lineIndex, err error) {
	attempt, err := s.attempt(ctx, run, number)
	if err != nil {
		return lineList, k, nil, err
	}
	state, err := s.find(ctx, run, attempt, push.Stream{Kind: push.Output})
	if err != nil {
		return lineList, k, nil, err
	}
	k = s.kept(run.UID, attempt.Number, state.Stream)
	index, err = s.indexes.of(ctx, k, state)
	if err != nil {
		return lineList, k, nil, err
	}
	lineList = LineList{Attempt: attempt.Number, Kept: streamOf(&state, isLive(run, attempt)), Total: index.total, Items: []Line{}}
	return lineList, k, index, nil
}
