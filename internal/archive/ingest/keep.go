package ingest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/push"
)

// ChunkStore is where the rows of chunks are kept: see archive.Store.
type ChunkStore interface {
	AddChunk(ctx context.Context, chunk archive.NewChunk) (archive.StreamState, error)
	Advance(ctx context.Context, uid string, attempt int32, stream push.Stream, chunk archive.Chunk, data []byte) (archive.StreamState, error)
}

// Keeper keeps chunks: their blobs, and their rows.
type Keeper struct {
	Store ChunkStore
	Blobs blobs.Blobs
}

// Keep keeps a chunk. packed is the gzip member of its data, which becomes the blob under a key that was never used before. So nothing that
// comes again replaces a blob, and no sweep deletes one that is about to get its row.
func (k Keeper) Keep(ctx context.Context, chunk archive.NewChunk, packed []byte) (archive.StreamState, error) {
	key := newKey(chunk.Owner, chunk.Stream.Kind, chunk.Chunk.Offset)
	chunk.Chunk.Key, chunk.Chunk.Size = key, int64(len(packed))
	if err := k.Blobs.Put(ctx, key, packed); err != nil {
		return archive.StreamState{}, err
	}
	state, err := k.Store.AddChunk(ctx, chunk)
	// After any other error the row may be there nevertheless.
	if err == nil && state.Duplicate || isFinal(err) || errors.Is(err, archive.ErrReadOnly) {
		k.discard(ctx, key)
	}
	return state, err
}

// discardTime is how long a blob that is not needed is tried to be deleted. Then a sweep does it.
const discardTime = time.Second

func (k Keeper) discard(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTime)
	defer cancel()
	_ = k.Blobs.Delete(ctx, key)
}

// isFinal says whether a store refuses something that it will refuse again.
func isFinal(err error) bool {
	return errors.Is(err, archive.ErrExpired) || errors.Is(err, archive.ErrTooMany) || errors.Is(err, archive.ErrInvalid) ||
		errors.Is(err, archive.ErrOtherSource)
}

// errUnreadable means that the blob of a kept chunk cannot be read any more.
var errUnreadable = errors.New("a kept blob cannot be read")

// Advance adds chunks that came too early to the gapless beginning of their stream, up to limit of them.
func (k Keeper) Advance(ctx context.Context, state archive.StreamState, limit int) (archive.StreamState, error) {
	for range limit {
		if state.Next == nil {
			break
		}
		chunk := *state.Next
		data, err := k.read(ctx, chunk)
		if err != nil {
			return state, err
		}
		if state, err = k.Store.Advance(ctx, state.UID, state.Attempt, state.Stream, chunk, data); err != nil {
			return state, err
		}
		if state.Next != nil && *state.Next == chunk {
			return state, fmt.Errorf("the chunk at %d of stream %s does not continue it", chunk.Offset, state.Kind)
		}
	}
	return state, nil
}

// read reads the data of a chunk.
func (k Keeper) read(ctx context.Context, chunk archive.Chunk) ([]byte, error) {
	body, err := k.Blobs.Get(ctx, chunk.Key, 0, maxPacked)
	if errors.Is(err, archive.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if err != nil {
		return nil, err
	}
	packed, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		return nil, err
	}
	data, err := blobs.Unpack(packed, chunk.Length)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errUnreadable, chunk.Key, err)
	}
	return data, nil
}

// newKey is a new key: the run's UID spreads the runs over folders, and what is random makes it unique.
func newKey(owner archive.Owner, kind push.Kind, offset int64) string {
	uid := strings.Map(keyRune, owner.UID)
	return strings.Join([]string{
		uid[:min(2, len(uid))], uid, strconv.Itoa(int(owner.Attempt)), string(kind), strconv.FormatInt(offset, 10) + "-" + rand.Text(),
	}, "/")
}

// keyRune leaves what a UID has, and a key may have.
func keyRune(r rune) rune {
	if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return '_'
}
