package ingest

import (
	"context"
	"errors"
	"net/http"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/push"
)

const (
	// gzipRoom is what gzip may add to bytes that it cannot compress.
	gzipRoom = 16 << 10
	// maxPacked is how long a blob is at most.
	maxPacked = push.MaxChunk + gzipRoom
	// advancePerChunk is how many chunks that came too early one request adds to the beginning of their stream. The next one goes on.
	advancePerChunk = 8
)

func (p *Push) takeChunk(ctx context.Context, w http.ResponseWriter, r *http.Request, owner archive.Owner, target push.Target) error {
	packed, err := readBody(w, r, target.Length+gzipRoom)
	if err != nil {
		return err
	}
	data, err := blobs.Unpack(packed, target.Length)
	if err != nil {
		return invalid(err)
	}
	chunk := archive.NewChunk{
		Owner: owner, Stream: *target.Stream, Source: archive.FromRunner, Data: data,
		Chunk: archive.Chunk{Offset: target.Offset, Length: target.Length},
	}
	if chunk.Stream.Kind == push.Cases {
		if chunk.Cases, err = parseCases(data, target.Offset); err != nil {
			return invalid(err)
		}
	}
	ctx, cancel := p.storing(ctx)
	defer cancel()
	if kept, err := p.isBeyondLimits(ctx, chunk); kept || err != nil {
		return err
	}
	state, err := p.keeper.Keep(ctx, chunk, packed)
	if err != nil {
		return err
	}
	if !state.Duplicate {
		p.metrics.kept(chunk, len(packed))
	}
	// The chunk is kept. What came too early is added now, or by the next request, or by the End.
	if _, err := p.keeper.Advance(ctx, state, advancePerChunk); err != nil {
		p.log.Info("A stream could not be advanced", "uid", owner.UID, "attempt", owner.Attempt, "kind", chunk.Stream.Kind, "error", err)
	}
	return nil
}

// isBeyondLimits refuses a chunk that is too much, and says so of its stream. kept means that it is kept already, and only pushed again.
func (p *Push) isBeyondLimits(ctx context.Context, chunk archive.NewChunk) (kept bool, err error) {
	run, all, err := p.store.Usage(ctx, chunk.Namespace, chunk.UID)
	if err != nil {
		return false, err
	}
	reason := p.limits.exceeded(run, all, chunk)
	if reason == "" {
		return false, nil
	}
	chunks, err := p.store.Chunks(ctx, chunk.UID, chunk.Attempt, chunk.Stream, chunk.Chunk.Offset, 1)
	if err != nil && !errors.Is(err, archive.ErrNotFound) {
		return false, err
	}
	if len(chunks) > 0 && chunks[0].Offset <= chunk.Chunk.Offset && chunks[0].Offset+chunks[0].Length >= chunk.Chunk.Offset+chunk.Chunk.Length {
		return true, nil
	}
	if err := p.sayCut(ctx, chunk, reason); err != nil {
		return false, err
	}
	return false, &refusal{http.StatusRequestEntityTooLarge, reasonLimit, reason}
}

// cutStream names a stream of which the store knows that its rest was refused.
type cutStream struct {
	uid     string
	attempt int32
	stream  push.Stream
}

// sayCut stores why the rest of a stream is not kept, once.
func (p *Push) sayCut(ctx context.Context, chunk archive.NewChunk, reason string) error {
	key := cutStream{chunk.UID, chunk.Attempt, chunk.Stream}
	if _, said := p.cut.Get(key); said {
		return nil
	}
	err := p.store.SetCut(ctx, chunk.Owner, chunk.Stream, chunk.Source, reason)
	if err == nil || errors.Is(err, archive.ErrTooMany) {
		p.cut.Add(key, nil)
		return nil
	}
	return err
}
