package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/testrun-dev/testrun/internal/push"
)

// streamRow is what is kept of a stream.
type streamRow struct {
	id, attempt, length, stored, size, wanted, expired int64
	kind, path, source, sha256, cut                    string
	verified, altered                                  bool
	hashState                                          []byte
}

const streamColumns = `s.id, s.attempt, s.kind, s.path, s.source, s.length, s.hash_state, s.stored, s.size, s.wanted, s.sha256, s.verified,
	s.altered, s.cut, s.expired`

func scanStream(scan scanner) (streamRow, error) {
	var s streamRow
	err := scan(&s.id, &s.attempt, &s.kind, &s.path, &s.source, &s.length, &s.hashState, &s.stored, &s.size, &s.wanted, &s.sha256,
		&s.verified, &s.altered, &s.cut, &s.expired)
	return s, err
}

// state is the row as callers see it.
func (s *streamRow) state(uid string) StreamState {
	return StreamState{
		UID: uid, Attempt: int32(s.attempt), Stream: push.Stream{Kind: push.Kind(s.kind), Path: s.path}, Source: Source(s.source),
		Length: s.length, Stored: s.stored, Size: s.size, Wanted: s.wanted, SHA256: s.sha256, Verified: s.verified, Altered: s.altered,
		Cut: s.cut, Expired: timeOf(s.expired),
	}
}

// storableStream has a path that can be stored; the same path always leads to the same one.
func storableStream(stream push.Stream) push.Stream {
	return push.Stream{Kind: push.Kind(plain(string(stream.Kind))), Path: storable(stream.Path, maxPath)}
}

// classOfStream is the class of retention: see Policy. It needs streams and runs r.
const classOfStream = `CASE WHEN r.pinned = 1 THEN 3 WHEN streams.kind = 'artifact' THEN 2 WHEN r.verdict = 'Passed' THEN 0 ELSE 1 END`

// stream reads a stream of a locked run, and makes its row if there is none.
func (tx *transaction) stream(ctx context.Context, run *runRow, attempt int32, stream push.Stream, source Source) (*streamRow, error) {
	row, err := tx.findStream(ctx, run, attempt, stream)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return row, err
	}
	var count int64
	err = tx.get(ctx, "SELECT count(*) FROM streams WHERE run_id = $1 AND attempt = $2", []any{run.id, attempt}, &count)
	if err != nil {
		return nil, err
	}
	if count >= push.MaxStreams {
		return nil, fmt.Errorf("%w: attempt %d of run %s has %d streams", ErrTooMany, attempt, run.uid, count)
	}
	_, err = tx.exec(ctx, `INSERT INTO streams (run_id, attempt, kind, path, source, class, ended) VALUES ($1, $2, $3, $4, $5, 0, $6)`,
		run.id, attempt, string(stream.Kind), stream.Path, string(source), run.ended)
	if err != nil {
		return nil, err
	}
	row, err = tx.findStream(ctx, run, attempt, stream)
	if err != nil {
		return nil, err
	}
	_, err = tx.exec(ctx, "UPDATE streams SET class = "+classOfStream+" FROM runs r WHERE streams.id = $1 AND r.id = $2", row.id, run.id)
	return row, err
}

func (tx *transaction) findStream(ctx context.Context, run *runRow, attempt int32, stream push.Stream) (*streamRow, error) {
	var row *streamRow
	err := tx.list(ctx, "SELECT "+streamColumns+" FROM streams s WHERE s.run_id = $1 AND s.attempt = $2 AND s.kind = $3 AND s.path = $4",
		[]any{run.id, attempt, string(stream.Kind), stream.Path}, func(scan scanner) error {
			found, err := scanStream(scan)
			row = &found
			return err
		})
	if err == nil && row == nil {
		err = ErrNotFound
	}
	return row, err
}

// write stores what a chunk or an end changes of a stream.
func (s *streamRow) write(ctx context.Context, tx *transaction) error {
	_, err := tx.exec(ctx, `UPDATE streams SET source = $2, length = $3, hash_state = $4, stored = $5, size = $6, wanted = $7, sha256 = $8,
		verified = $9, altered = $10, cut = $11 WHERE id = $1`,
		s.id, s.source, s.length, s.hashState, s.stored, s.size, s.wanted, s.sha256, bit(s.verified), bit(s.altered), s.cut)
	return err
}

// Streams lists the streams of an attempt, after one in the order of kind and path. With attempt 0 it lists the first streams of all
// attempts, in the order of attempt, kind and path, whatever after is.
func (s *Store) Streams(
	ctx context.Context, uid string, attempt int32, after push.Stream, limit int,
) (streams []StreamState, more bool, err error) {
	statement, args := listStreams, []any{uid, pageSize(limit) + 1}
	if attempt != 0 {
		statement, args = listStreamsOfAttempt, append(args, attempt, string(after.Kind), storable(after.Path, maxPath))
	}
	err = s.list(ctx, statement, args, func(scan scanner) error {
		row, err := scanStream(scan)
		streams = append(streams, row.state(uid))
		return err
	})
	streams, more = cutPage(streams, limit)
	return streams, more, err
}

const (
	listStreams = "SELECT " + streamColumns + ` FROM streams s WHERE s.run_id = (SELECT r.id FROM runs r WHERE r.uid = $1)
		ORDER BY s.attempt, s.kind, s.path LIMIT $2`
	listStreamsOfAttempt = "SELECT " + streamColumns + ` FROM streams s WHERE s.run_id = (SELECT r.id FROM runs r WHERE r.uid = $1)
		AND s.attempt = $3 AND (s.kind, s.path) > ($4, $5) ORDER BY s.kind, s.path LIMIT $2`
)

// cutPage takes away the row that was read to learn whether there is more.
func cutPage[T any](page []T, limit int) ([]T, bool) {
	if size := pageSize(limit); len(page) > size {
		return page[:size], true
	}
	return page, false
}

// Stream is the state of one stream, with its gaps. It is cheap to ask for again and again.
func (s *Store) Stream(ctx context.Context, uid string, attempt int32, stream push.Stream) (StreamState, error) {
	stream = storableStream(stream)
	var found *streamRow
	err := s.list(ctx, getStream, []any{uid, attempt, string(stream.Kind), stream.Path}, func(scan scanner) error {
		row, err := scanStream(scan)
		found = &row
		return err
	})
	if err != nil {
		return StreamState{}, err
	}
	if found == nil {
		return StreamState{}, fmt.Errorf("stream %s %s of attempt %d of run %s: %w", stream.Kind, stream.Path, attempt, uid, ErrNotFound)
	}
	state := found.state(uid)
	state.Gaps, err = s.gaps(ctx, found)
	return state, err
}

const getStream = "SELECT " + streamColumns + ` FROM streams s WHERE s.run_id = (SELECT r.id FROM runs r WHERE r.uid = $1)
	AND s.attempt = $2 AND s.kind = $3 AND s.path = $4`

// chunksLooked is how many chunks are looked at to find the gaps between them.
const chunksLooked = 10_000

// gaps are the parts of a stream that are not kept: between the chunks behind the gapless prefix, and behind the last one.
func (s *Store) gaps(ctx context.Context, stream *streamRow) ([]push.Gap, error) {
	if stream.expired != 0 || stream.length == stream.wanted {
		return nil, nil
	}
	chunks, err := s.chunks(ctx, stream.id, stream.length, chunksLooked)
	var gaps []push.Gap
	end := stream.length
	for _, chunk := range chunks {
		if chunk.Offset > end {
			gaps = append(gaps, push.Gap{Offset: end, Length: chunk.Offset - end})
		}
		end = chunk.Offset + chunk.Length
	}
	if len(chunks) < chunksLooked && end < stream.wanted {
		gaps = append(gaps, push.Gap{Offset: end, Length: stream.wanted - end})
	}
	return gaps[:min(len(gaps), MaxGaps)], err
}

// Chunks lists the chunks of a stream that hold bytes at an offset or behind it, in the order of their offsets. Two of them may overlap: a
// reader skips what it has already.
func (s *Store) Chunks(ctx context.Context, uid string, attempt int32, stream push.Stream, from int64, limit int) ([]Chunk, error) {
	stream = storableStream(stream)
	var id int64
	err := s.get(ctx, `SELECT s.id FROM streams s WHERE s.run_id = (SELECT r.id FROM runs r WHERE r.uid = $1)
		AND s.attempt = $2 AND s.kind = $3 AND s.path = $4`, []any{uid, attempt, string(stream.Kind), stream.Path}, &id)
	if err != nil {
		return nil, fmt.Errorf("stream %s %s of attempt %d of run %s: %w", stream.Kind, stream.Path, attempt, uid, err)
	}
	return s.chunks(ctx, id, from, pageSize(limit))
}

func (s *Store) chunks(ctx context.Context, stream, from int64, limit int) ([]Chunk, error) {
	var chunks []Chunk
	err := s.list(ctx, listChunks, []any{stream, from, limit}, func(scan scanner) error {
		chunk, err := scanChunk(scan)
		if chunk.Offset+chunk.Length > from {
			chunks = append(chunks, chunk)
		}
		return err
	})
	return chunks, err
}

func scanChunk(scan scanner) (Chunk, error) {
	var c Chunk
	return c, scan(&c.Offset, &c.Length, &c.Size, &c.Key)
}

// Since no chunk lies within another, the last one that begins at or before the offset reaches the farthest of those.
const listChunks = `SELECT c.start, c.length, c.size, c.blob FROM chunks c WHERE c.stream_id = $1 AND c.start >=
	coalesce((SELECT max(p.start) FROM chunks p WHERE p.stream_id = $1 AND p.start <= $2), 0)
	ORDER BY c.start LIMIT $3`
