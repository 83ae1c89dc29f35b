package ingest

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
)

func (w *world) sweep(s *Sweeper) int {
	w.Helper()
	removed, err := s.Sweep(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return removed
}

func TestASweepRemovesBlobsWithoutARow(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	w.expect(http.StatusNoContent)(r.chunk(output, 0, "text"))
	named := w.allBlobs()
	var orphans []string
	for i := range 5 {
		key := newKey(archive.Owner{UID: fmt.Sprint(i), Attempt: 1}, "output", 0)
		if err := w.blobs.Put(t.Context(), key, []byte("x")); err != nil {
			t.Fatal(err)
		}
		orphans = append(orphans, key)
	}
	s := NewSweeper(w.store, w.blobs)
	for range 3 {
		if n := w.sweep(s); n != 0 || len(s.suspects) > 0 {
			t.Fatalf("of blobs that are not old, %d are removed, and %d are suspected", n, len(s.suspects))
		}
	}
	s.age = 0
	for range 3 {
		if n := w.sweep(s); n != 0 {
			t.Fatalf("%d blobs are removed that were seen without a row just now", n)
		}
	}
	s.grace = 0
	// One gets its row in between.
	late := orphans[0]
	_, err := w.store.AddChunk(t.Context(), archive.NewChunk{
		Owner: archive.Owner{UID: r.attempt.UID, Namespace: w.namespace, Name: "smoke", Created: time.Now(), Attempt: 1}, Stream: output,
		Source: archive.FromRunner, Chunk: archive.Chunk{Offset: 4, Length: 1, Key: late, Size: 1}, Data: []byte("x"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := w.sweep(s); n != 4 {
		t.Errorf("%d blobs are removed instead of 4", n)
	}
	want := append(slices.Clone(named), late)
	slices.Sort(want)
	if got := w.allBlobs(); !slices.Equal(got, want) {
		t.Errorf("left are %q instead of %q", got, want)
	}
	w.sweep(s)
	if len(s.suspects) > 0 {
		t.Errorf("still suspected are %v", s.suspects)
	}
}
