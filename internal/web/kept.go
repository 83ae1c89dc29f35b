package web

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
)

// kept reads what is kept of a stream.
type kept struct {
	store   Store
	blobs   Blobs
	uid     string
	attempt int32
	stream  push.Stream
}

func (s *server) kept(uid string, attempt int32, stream push.Stream) kept {
	return kept{s.store, s.blobs, uid, attempt, stream}
}

// part is what of a chunk is read: the bytes from from to before to of the stream.
type part struct {
	archive.Chunk
	from, to int64
}

// chunkPage is how many chunks are asked for at once.
const chunkPage = 100

// forever is beyond the end of every stream.
const forever = math.MaxInt64

// parts calls each with what is kept of the bytes from from to before to: in order, no byte twice, until each returns false.
func (k kept) parts(ctx context.Context, from, to int64, each func(part) (bool, error)) error {
	for from < to {
		chunks, err := k.store.Chunks(ctx, k.uid, k.attempt, k.stream, from, chunkPage)
		if errors.Is(err, archive.ErrNotFound) {
			return nil // nothing has come yet
		}
		if err != nil {
			return err
		}
		begin := from
		for _, chunk := range chunks {
			p := part{chunk, max(from, chunk.Offset), min(to, chunk.Offset+chunk.Length)}
			if p.from >= p.to {
				continue // chunks may overlap
			}
			from = p.to
			if more, err := each(p); err != nil || !more {
				return err
			}
		}
		if from == begin {
			return nil
		}
	}
	return nil
}

// extent is the first piece without a gap that is kept of the bytes from from to before to; stop is start if there is none.
func (k kept) extent(ctx context.Context, from, to int64) (start, stop int64, err error) {
	start, stop = from, from
	err = k.parts(ctx, from, to, func(p part) (bool, error) {
		if stop == start {
			start, stop = p.from, p.from
		}
		if p.from != stop {
			return false, nil
		}
		stop = p.to
		return true, nil
	})
	return start, stop, err
}

// end is where what is kept ends.
func (k kept) end(ctx context.Context, from int64) (int64, error) {
	err := k.parts(ctx, from, forever, func(p part) (bool, error) {
		from = p.to
		return true, nil
	})
	return from, err
}

// copyTo writes a part.
func (k kept) copyTo(ctx context.Context, w io.Writer, p part) error {
	blob, err := k.blobs.Get(ctx, p.Key, 0, -1)
	if err != nil {
		return fmt.Errorf("the blob %s: %w", p.Key, err)
	}
	defer func() { _ = blob.Close() }()
	plain, err := gzip.NewReader(blob)
	if err == nil {
		_, err = io.CopyN(io.Discard, plain, p.from-p.Offset)
	}
	if err == nil {
		_, err = io.CopyN(w, plain, p.to-p.from)
	}
	if err != nil {
		return fmt.Errorf("the blob %s, bytes %d to %d of the stream: %w", p.Key, p.from, p.to, err)
	}
	return nil
}
