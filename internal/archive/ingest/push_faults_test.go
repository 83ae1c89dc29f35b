package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/test/points"
)

// dying dies at a step of storing, counted from 0 over blobs and rows. Before it, or after it: then the step is done, but nobody hears of it.
// Whatever it is asked afterwards fails.
type dying struct {
	at    int32
	after bool
	steps *atomic.Int32
}

var errDead = errors.New("the server is dead")

func (d dying) step(do func() error) error {
	switch n := d.steps.Add(1) - 1; {
	case n < d.at:
		return do()
	case n == d.at && d.after:
		return errors.Join(do(), errDead)
	}
	return errDead
}

type dyingStore struct {
	PushStore
	dying
}

func (s dyingStore) AddChunk(ctx context.Context, chunk archive.NewChunk) (state archive.StreamState, err error) {
	err = s.step(func() error {
		state, err = s.PushStore.AddChunk(ctx, chunk)
		return err
	})
	return state, err
}

func (s dyingStore) Advance(
	ctx context.Context, uid string, attempt int32, stream push.Stream, chunk archive.Chunk, data []byte,
) (state archive.StreamState, err error) {
	err = s.step(func() error {
		state, err = s.PushStore.Advance(ctx, uid, attempt, stream, chunk, data)
		return err
	})
	return state, err
}

func (s dyingStore) SetEnd(ctx context.Context, owner archive.Owner, end push.End) (states []archive.StreamState, err error) {
	err = s.step(func() error {
		states, err = s.PushStore.SetEnd(ctx, owner, end)
		return err
	})
	return states, err
}

type dyingBlobs struct {
	blobs.Blobs
	dying
}

func (b dyingBlobs) Put(ctx context.Context, key string, data []byte) error {
	return b.step(func() error { return b.Blobs.Put(ctx, key, data) })
}

func (b dyingBlobs) Delete(ctx context.Context, keys ...string) error {
	return b.step(func() error { return b.Blobs.Delete(ctx, keys...) })
}

func TestNothingIsLostOrDoubledWhenTheServerDiesAtAnyStep(t *testing.T) {
	count := points.Of(t, "the server dies at a step while it is pushed to")
	onEachDatabase(t, func(t *testing.T) {
		t.Helper()
		dieAtEachStep(t, count)
	})
}

func dieAtEachStep(t *testing.T, count *points.Counter) {
	t.Helper()
	w := newWorld(t)
	parts := []string{`{"i":1,"n":"a","o":"Passed"}` + "\n", `{"i":2,"n":"b","o":"Failed"}` + "\n", `{"i":3,"n":"c","o":"Passed"}` + "\n"}
	text := strings.Join(parts, "")
	var all []*pusher
	for _, after := range []bool{false, true} {
		for at := int32(0); ; at++ {
			r := w.newPusher(fmt.Sprintf("smoke-%v-%d", after, at))
			all = append(all, r)
			d := dying{at, after, &atomic.Int32{}}
			w.start(changes{
				store: func(store PushStore) PushStore { return dyingStore{store, d} },
				blobs: func(kept blobs.Blobs) blobs.Blobs { return dyingBlobs{kept, d} },
			})
			pushAll := func() (refused int) {
				// The chunk in the middle comes too early.
				for _, i := range []int{1, 0, 2, 1} {
					if code, _ := r.chunk(cases, int64(len(parts[0])*i), parts[i]); code != http.StatusNoContent {
						refused++
					}
				}
				if code, _ := r.end(map[push.Stream]string{cases: text}); code != http.StatusNoContent {
					refused++
				}
				return refused
			}
			died := pushAll() > 0
			w.start(changes{})
			if again := pushAll(); again > 0 {
				t.Errorf("after the server died at step %d, %d pushes are refused", at, again)
			}
			r.expectWhole(at, after, text, len(parts))
			if steps := d.steps.Load(); !died && steps <= at {
				break
			}
			count.Tried(t)
		}
	}
	s := NewSweeper(w.store, w.blobs)
	s.age, s.grace = 0, 0
	for range 2 {
		w.sweep(s)
	}
	w.expectOnlyBlobsOf(cases, all...)
	if count.Count() < 20 {
		t.Errorf("it died at %d points only", count.Count())
	}
}

// expectWhole fails unless the stream of cases is whole, and no case is there twice.
func (r *pusher) expectWhole(at int32, after bool, text string, count int) {
	r.Helper()
	if got := r.kept(cases); got != text {
		r.Errorf("after the server died at step %d (after it: %v), kept is %q", at, after, got)
	}
	if state := r.state(cases); !state.Verified || state.Stored != int64(len(text)) {
		r.Errorf("after the server died at step %d (after it: %v), the state is %+v", at, after, state)
	}
	found, _, err := r.store.Cases(r.Context(), archive.CaseQuery{UID: r.attempt.UID, Attempt: 1})
	if err != nil || len(found) != count {
		r.Errorf("after the server died at step %d (after it: %v), there are %d cases, %v", at, after, len(found), err)
	}
}

func TestADatabaseThatIsAwayForAWhileLosesNothing(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	var away atomic.Bool
	w.start(changes{store: func(store PushStore) PushStore { return awayStore{store, &away} }})
	w.expect(http.StatusNoContent)(r.chunk(output, 0, "before "))
	away.Store(true)
	for range 5 {
		w.expect(http.StatusServiceUnavailable)(r.chunk(output, 7, "and after"))
	}
	if n := len(w.allBlobs()); n != 1 {
		t.Errorf("%d blobs wait for a database that is away", n)
	}
	away.Store(false)
	w.expect(http.StatusNoContent)(r.chunk(output, 7, "and after"))
	if got := r.kept(output); got != "before and after" {
		t.Errorf("kept is %q", got)
	}
}

type awayStore struct {
	PushStore
	away *atomic.Bool
}

func (s awayStore) Usage(ctx context.Context, namespace, uid string) (run, all archive.Amount, err error) {
	if s.away.Load() {
		return run, all, errors.New("connection refused")
	}
	return s.PushStore.Usage(ctx, namespace, uid)
}

type fullBlobs struct{ blobs.Blobs }

func (fullBlobs) Put(context.Context, string, []byte) error {
	return fmt.Errorf("storing: %w", archive.ErrReadOnly)
}

type fullStore struct{ PushStore }

func (fullStore) AddChunk(context.Context, archive.NewChunk) (archive.StreamState, error) {
	return archive.StreamState{}, fmt.Errorf("writing: %w", archive.ErrReadOnly)
}

func TestAFullArchiveSaysSo(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	for name, c := range map[string]changes{
		"blobs": {blobs: func(kept blobs.Blobs) blobs.Blobs { return fullBlobs{kept} }},
		"rows":  {store: func(store PushStore) PushStore { return fullStore{store} }},
	} {
		w.start(c)
		code, message := r.chunk(output, 0, "text")
		if code != http.StatusServiceUnavailable || !strings.Contains(message, "read-only") {
			t.Errorf("without room for %s: %d %q", name, code, message)
		}
		if all := w.allBlobs(); len(all) > 0 {
			t.Errorf("without room for %s, blobs without a row take room: %q", name, all)
		}
	}
	w.start(changes{})
	w.expect(http.StatusNoContent)(r.chunk(output, 0, "text"))
}

func TestLimitsCutAndSaySo(t *testing.T) {
	w := newWorld(t)
	line := `{"i":1,"n":"a","o":"Passed"}` + "\n"
	for name, c := range map[string]struct {
		limits Limits
		stream push.Stream
		says   string
	}{
		"of a run's bytes":       {Limits{RunBytes: int64(len(line)) * 3 / 2}, output, "bytes that the archive keeps of a run"},
		"of a run's cases":       {Limits{RunCases: 1}, cases, "1 cases"},
		"of a namespace's bytes": {Limits{NamespaceBytes: 1}, output, "of a namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.T = t
			r := w.newPusher(strings.NewReplacer(" ", "-", "'", "").Replace(name))
			w.start(changes{})
			w.expect(http.StatusNoContent)(r.chunk(c.stream, 0, line))
			w.start(changes{limits: c.limits})
			for range 2 {
				code, message := r.chunk(c.stream, int64(len(line)), line)
				if code != http.StatusRequestEntityTooLarge || !strings.Contains(message, c.says) {
					t.Errorf("beyond the limit: %d %q", code, message)
				}
			}
			if state := r.state(c.stream); !strings.Contains(state.Cut, c.says) || state.Length != int64(len(line)) {
				t.Errorf("the state is %+v", state)
			}
			// What is kept may come again.
			w.expect(http.StatusNoContent)(r.chunk(c.stream, 0, line))
		})
	}
}

// slowStore waits before it keeps a chunk.
type slowStore struct {
	PushStore
	enter chan struct{}
	leave chan struct{}
	once  *sync.Once
}

// open lets all of them go on.
func (s slowStore) open() { s.once.Do(func() { close(s.leave) }) }

func (s slowStore) AddChunk(ctx context.Context, chunk archive.NewChunk) (archive.StreamState, error) {
	s.enter <- struct{}{}
	<-s.leave
	return s.PushStore.AddChunk(ctx, chunk)
}

func TestTooMuchAtOnceIsRefusedForNow(t *testing.T) {
	w := newWorld(t)
	r, other := w.newPusher("smoke"), w.newPusher("other")
	slow := slowStore{enter: make(chan struct{}), leave: make(chan struct{}), once: &sync.Once{}}
	defer slow.open()
	w.start(changes{store: func(store PushStore) PushStore {
		slow.PushStore = store
		return slow
	}})
	answers := make(chan int)
	for i := range maxUnderwayOfAttempt {
		go func() {
			code, _, _ := r.try(t.Context(), push.ChunkPath(r.attempt, output, int64(i), 1), blobs.Pack([]byte("x")))
			answers <- code
		}()
		<-slow.enter
	}
	go func() {
		code, _, _ := r.try(t.Context(), push.ChunkPath(r.attempt, output, 100, 1), blobs.Pack([]byte("x")))
		answers <- code
	}()
	select {
	case code := <-answers:
		w.expect(http.StatusTooManyRequests)(code, "")
	case <-slow.enter:
		t.Fatal("one more is let in")
	}
	go func() {
		code, _, _ := other.try(t.Context(), push.ChunkPath(other.attempt, output, 0, 1), blobs.Pack([]byte("x")))
		answers <- code
	}()
	<-slow.enter // another attempt is let in
	slow.open()
	for range maxUnderwayOfAttempt + 1 {
		if code := <-answers; code != http.StatusNoContent && code != http.StatusServiceUnavailable {
			t.Errorf("a request that was let in: %d", code)
		}
	}
	go func() { <-slow.enter }()
	w.expect(http.StatusNoContent)(r.chunk(output, 100, "x"))
}

// hangingStore keeps nothing, and waits for as long as it may.
type hangingStore struct{ PushStore }

func (hangingStore) AddChunk(ctx context.Context, _ archive.NewChunk) (archive.StreamState, error) {
	<-ctx.Done()
	return archive.StreamState{}, fmt.Errorf("writing: %w", ctx.Err())
}

func TestADatabaseThatHangsIsNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	handler := w.start(changes{store: func(store PushStore) PushStore { return hangingStore{store} }})
	handler.storeTime = time.Second
	if code, message := r.chunk(output, 0, "text"); code != http.StatusServiceUnavailable || !strings.Contains(message, "too long") {
		t.Errorf("the answer is %d %q", code, message)
	}
}

func TestProgressIsGatheredAndWritten(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	handler := w.start(changes{})
	for _, body := range []string{`{"done":1,"total":9}`, `{"done":3,"failed":1,"total":9}`} {
		w.expect(http.StatusNoContent)(r.put(push.ProgressPath(r.attempt), []byte(body)))
	}
	for _, body := range []string{`{"done":-1}`, `{"done":1,"failed":2}`, `{"total":-9}`, `{"done":1e99}`, `x`, strings.Repeat(" ", maxProgress) + "{}"} {
		if code, _ := r.put(push.ProgressPath(r.attempt), []byte(body)); code != http.StatusBadRequest && code != http.StatusRequestEntityTooLarge {
			t.Errorf("%.20q: %d", body, code)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- handler.Run(ctx) }()
	cancel() // what waits is written nevertheless
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	attempts, err := w.store.Attempts(t.Context(), r.attempt.UID)
	if err != nil || len(attempts) != 1 || attempts[0].Progress != (push.Progress{Done: 3, Failed: 1, Total: 9}) {
		t.Errorf("kept are %+v, %v", attempts, err)
	}
}

func TestAnEndComesAfterTheProgress(t *testing.T) {
	w := newWorld(t)
	r := w.newPusher("smoke")
	w.expect(http.StatusNoContent)(r.put(push.ProgressPath(r.attempt), []byte(`{"done":2,"total":2}`)))
	w.expect(http.StatusNoContent)(r.end(nil))
	attempts, err := w.store.Attempts(t.Context(), r.attempt.UID)
	if err != nil || len(attempts) != 1 || attempts[0].Progress.Done != 2 || !attempts[0].Ended {
		t.Errorf("kept are %+v, %v", attempts, err)
	}
}
