package archive

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"hash"

	"github.com/testrun-dev/testrun/internal/push"
)

// CaseLine is a line of the stream of cases. Offset is where it begins there.
type CaseLine struct {
	push.Case
	Offset int64
}

// NewChunk is a chunk whose blob is stored, and which is to be kept.
type NewChunk struct {
	Owner
	Stream push.Stream
	Source Source
	Chunk  Chunk
	// Data is what the chunk holds, uncompressed.
	Data []byte
	// Cases are the lines in it, if it is one of the stream of cases.
	Cases []CaseLine
}

// MaxChunks is how many chunks of a run are kept.
const MaxChunks = 200_000

// AddChunk keeps a chunk: its row, what it adds to the gapless prefix of its stream, and its cases. Chunks may come in any order, and again.
//
// Of two chunks at the same offset the longer one is kept, and the first of equals. A chunk that lies within another one is not kept. If it
// is not kept, the state says Duplicate. A blob that is not needed any more is put among Store.Garbage. Who writes the blob of a chunk has
// to give it a key that no other content has, so that a chunk that comes again with another content does not replace what is kept.
func (s *Store) AddChunk(ctx context.Context, chunk NewChunk) (StreamState, error) {
	if chunk.Chunk.Offset < 0 || chunk.Chunk.Length < 1 || chunk.Chunk.Length > push.MaxChunk || chunk.Chunk.Length != int64(len(chunk.Data)) {
		return StreamState{}, fmt.Errorf("%w: a chunk of %d bytes at %d that has %d bytes",
			ErrInvalid, chunk.Chunk.Length, chunk.Chunk.Offset, len(chunk.Data))
	}
	var state StreamState
	err := s.transact(ctx, func(tx *transaction) error {
		run, err := tx.lockOwner(ctx, chunk.Owner)
		if err != nil {
			return err
		}
		state, err = tx.addChunk(ctx, &run, &chunk)
		return err
	})
	return state, err
}

func (tx *transaction) addChunk(ctx context.Context, run *runRow, chunk *NewChunk) (StreamState, error) {
	stream, amount, err := tx.streamFor(ctx, run, chunk)
	if err != nil {
		return StreamState{}, err
	}
	change, isKept, err := tx.keepChunk(ctx, run, stream, chunk.Chunk)
	if err != nil {
		return StreamState{}, err
	}
	amount.add(change, 1)
	if isKept {
		if err := stream.grow(chunk.Chunk, chunk.Data); err != nil {
			return StreamState{}, err
		}
	}
	next, err := tx.finishChunk(ctx, run, stream)
	if err != nil {
		return StreamState{}, err
	}
	if len(chunk.Cases) > 0 {
		cases, err := tx.addCases(ctx, run, chunk.Attempt, seriesOf(run, chunk.Owner), chunk.Cases)
		if err != nil {
			return StreamState{}, err
		}
		amount.Cases += cases
	}
	state := stream.state(run.uid)
	state.Next, state.Duplicate = next, !isKept
	return state, tx.add(ctx, run, amount)
}

// add adds another amount, times by.
func (a *Amount) add(other Amount, by int64) {
	a.Length += by * other.Length
	a.Size += by * other.Size
	a.Cases += by * other.Cases
	a.Chunks += by * other.Chunks
}

// streamFor is the stream that a chunk belongs to. A better source replaces what is kept from another one; amount is what that changes.
func (tx *transaction) streamFor(ctx context.Context, run *runRow, chunk *NewChunk) (stream *streamRow, amount Amount, err error) {
	stream, err = tx.stream(ctx, run, chunk.Attempt, storableStream(chunk.Stream), chunk.Source)
	if err != nil {
		return nil, amount, err
	}
	if stream.expired != 0 {
		return nil, amount, fmt.Errorf("stream %s of attempt %d of run %s: %w", stream.kind, stream.attempt, run.uid, ErrExpired)
	}
	if Source(stream.source) == chunk.Source {
		return stream, amount, nil
	}
	if Source(stream.source) == FromRunner && stream.stored > 0 {
		return nil, amount, fmt.Errorf("stream %s of attempt %d of run %s: %w", stream.kind, stream.attempt, run.uid, ErrOtherSource)
	}
	amount, err = tx.dropChunks(ctx, stream)
	if err != nil {
		return nil, amount, err
	}
	if push.Kind(stream.kind) == push.Cases {
		removed, err := tx.removeStatusCases(ctx, run, chunk.Attempt)
		amount.Cases -= removed
		if err != nil {
			return nil, amount, err
		}
	}
	stream.source, stream.length, stream.stored, stream.size, stream.hashState = string(chunk.Source), 0, 0, 0, nil
	return stream, amount, nil
}

// dropChunks makes garbage of what is kept of a stream.
func (tx *transaction) dropChunks(ctx context.Context, stream *streamRow) (Amount, error) {
	_, err := tx.exec(ctx, "INSERT INTO garbage (blob) SELECT c.blob FROM chunks c WHERE c.stream_id = $1 ON CONFLICT DO NOTHING", stream.id)
	if err != nil {
		return Amount{}, err
	}
	count, err := tx.exec(ctx, "DELETE FROM chunks WHERE stream_id = $1", stream.id)
	return Amount{Length: -stream.stored, Size: -stream.size, Chunks: -count}, err
}

// keepChunk writes the row of a chunk, unless what it holds is kept, and makes garbage of the chunks that lie within it.
func (tx *transaction) keepChunk(ctx context.Context, run *runRow, stream *streamRow, chunk Chunk) (change Amount, isKept bool, err error) {
	before, err := tx.chunkAt(ctx, stream.id, chunk.Offset)
	if err != nil || before != nil && before.Offset+before.Length >= chunk.Offset+chunk.Length {
		return Amount{}, false, err
	}
	if run.chunks >= MaxChunks {
		return Amount{}, false, fmt.Errorf("%w: run %s has %d chunks", ErrTooMany, run.uid, run.chunks)
	}
	change = Amount{Length: chunk.Length, Size: chunk.Size, Chunks: 1}
	var inside rows
	err = tx.list(ctx, `SELECT c.start, c.length, c.size, c.blob FROM chunks c
		WHERE c.stream_id = $1 AND c.start >= $2 AND c.start < $3 AND c.start + c.length <= $3`,
		[]any{stream.id, chunk.Offset, chunk.Offset + chunk.Length}, func(scan scanner) error {
			old, err := scanChunk(scan)
			change.add(Amount{Length: old.Length, Size: old.Size, Chunks: 1}, -1)
			inside = append(inside, []any{stream.id, old.Offset, old.Key})
			return err
		})
	if err != nil {
		return change, false, err
	}
	if err := tx.replaceChunks(ctx, inside, chunk.Key); err != nil {
		return change, false, err
	}
	_, err = tx.exec(ctx, "INSERT INTO chunks (stream_id, start, length, size, blob) VALUES ($1, $2, $3, $4, $5)",
		stream.id, chunk.Offset, chunk.Length, chunk.Size, chunk.Key)
	if err != nil {
		return change, false, err
	}
	stream.stored += change.Length
	stream.size += change.Size
	// The key may have been garbage before.
	_, err = tx.exec(ctx, "DELETE FROM garbage WHERE blob = $1", chunk.Key)
	return change, true, err
}

func (tx *transaction) replaceChunks(ctx context.Context, old rows, key string) error {
	var garbage rows
	for _, row := range old {
		if row[2] != key {
			garbage = append(garbage, []any{row[2]})
		}
	}
	err := tx.run(ctx, bulk{
		columns: "stream_id bigint, start bigint, blob text",
		text:    `DELETE FROM chunks WHERE (stream_id, start) IN (SELECT x.stream_id, x.start FROM {rows})`,
	}, old, nil)
	if err != nil {
		return err
	}
	return tx.run(ctx, addGarbage, garbage, nil)
}

var addGarbage = bulk{
	columns: "blob text",
	text:    "INSERT INTO garbage (blob) SELECT x.blob FROM {rows} WHERE true ON CONFLICT DO NOTHING",
}

// chunkAt is the chunk that begins at an offset or last before it; nil if there is none. No chunk that begins before it reaches farther.
func (tx *transaction) chunkAt(ctx context.Context, stream, offset int64) (*Chunk, error) {
	var found *Chunk
	err := tx.list(ctx, `SELECT c.start, c.length, c.size, c.blob FROM chunks c WHERE c.stream_id = $1 AND c.start <= $2
		ORDER BY c.start DESC LIMIT 1`, []any{stream, offset}, func(scan scanner) error {
		chunk, err := scanChunk(scan)
		found = &chunk
		return err
	})
	return found, err
}

// grow adds a chunk to the gapless prefix, if it continues that.
func (s *streamRow) grow(chunk Chunk, data []byte) error {
	end := chunk.Offset + chunk.Length
	if chunk.Offset > s.length || end <= s.length {
		return nil
	}
	digest, err := s.digest()
	if err != nil {
		return err
	}
	digest.Write(data[s.length-chunk.Offset:])
	s.length = end
	s.hashState, err = digest.(encoding.BinaryMarshaler).MarshalBinary()
	return err
}

func (s *streamRow) digest() (hash.Hash, error) {
	digest := sha256.New()
	if s.length == 0 {
		return digest, nil
	}
	return digest, digest.(encoding.BinaryUnmarshaler).UnmarshalBinary(s.hashState)
}

// judge compares what is kept with what the end says.
func (s *streamRow) judge() error {
	s.verified, s.altered = false, false
	if s.wanted < 0 || s.length < s.wanted {
		return nil
	}
	digest, err := s.digest()
	if err != nil {
		return err
	}
	s.verified = s.length == s.wanted && hex.EncodeToString(digest.Sum(nil)) == s.sha256
	s.altered = !s.verified
	return nil
}

// finishChunk stores what became of the stream. next is a chunk by which the prefix could grow now.
func (tx *transaction) finishChunk(ctx context.Context, run *runRow, stream *streamRow) (next *Chunk, err error) {
	next, err = tx.chunkAt(ctx, stream.id, stream.length)
	if err != nil {
		return nil, err
	}
	if next != nil && next.Offset+next.Length <= stream.length {
		next = nil
	}
	verified, altered := stream.verified, stream.altered
	if err := stream.judge(); err != nil {
		return nil, err
	}
	if stream.verified != verified || stream.altered != altered {
		tx.touch(run.id)
	}
	if err := stream.write(ctx, tx); err != nil {
		return nil, err
	}
	if stream.verified && push.Kind(stream.kind) == push.Output {
		_, err = tx.exec(ctx, "UPDATE attempts SET settled = 1 WHERE run_id = $1 AND number = $2 AND seen_ended > 0", run.id, stream.attempt)
	}
	return next, err
}

// Advance adds a chunk that is kept, and came before what precedes it, to the gapless prefix of its stream. data is what it holds,
// uncompressed. If the prefix has grown meanwhile, it changes nothing. The state may name the Next chunk.
func (s *Store) Advance(
	ctx context.Context, uid string, attempt int32, stream push.Stream, chunk Chunk, data []byte,
) (StreamState, error) {
	var state StreamState
	err := s.transact(ctx, func(tx *transaction) error {
		run, err := tx.lockRun(ctx, uid)
		if err != nil {
			return err
		}
		row, err := tx.findStream(ctx, &run, attempt, storableStream(stream))
		if err != nil {
			return err
		}
		kept, err := tx.chunkAt(ctx, row.id, chunk.Offset)
		if err != nil {
			return err
		}
		if kept != nil && *kept == chunk && chunk.Length == int64(len(data)) {
			if err := row.grow(chunk, data); err != nil {
				return err
			}
		}
		next, err := tx.finishChunk(ctx, &run, row)
		state = row.state(uid)
		state.Next = next
		return err
	})
	return state, err
}
