package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/push"
)

// keep keeps what of a pod's log the archive does not have. cut says that the log is longer. The note says what is missing for good.
func (k *KubeletLogs) keep(
	ctx context.Context, attempt archive.UnsettledAttempt, state archive.StreamState, log []byte, cut bool,
) (note string, err error) {
	tail, err := k.tailOf(ctx, attempt, state)
	if err != nil {
		return "", err
	}
	offset, rest, ok := continuation(state, tail, log)
	if !ok {
		return k.missing(state, "the log of pod "+attempt.Attempt.Pod+" does not show where to go on"), nil
	}
	// What goes on where a runner stopped stays the runner's, with a note.
	source := archive.FromKubelet
	if state.Stored > 0 {
		source = state.Source
		if source == archive.FromRunner && len(rest) > 0 {
			note = fmt.Sprintf("output: nothing of what follows the first %d bytes is missing, but it was read from the pod's log", offset)
		}
	}
	run, err := k.Store.Run(ctx, attempt.UID)
	if err != nil {
		return "", fmt.Errorf("reading the run: %w", err)
	}
	owner := archive.Owner{
		UID: run.UID, Namespace: run.Namespace, Name: run.Name, Test: run.Test, Series: run.Series, Created: run.Created,
		Attempt: attempt.Attempt.Number,
	}
	cause := ""
	if cut {
		cause = fmt.Sprintf("the pod's log is longer than %d bytes: the rest was not read", k.MaxLog)
	}
	for len(rest) > 0 {
		part := rest[:min(len(rest), push.MaxChunk)]
		chunk := archive.NewChunk{
			Owner: owner, Stream: outputStream, Source: source,
			Chunk: archive.Chunk{Offset: offset, Length: int64(len(part))}, Data: part,
		}
		exceeded, err := k.keepChunk(ctx, chunk)
		if err != nil {
			return "", fmt.Errorf("keeping the log: %w", err)
		}
		if exceeded != "" {
			cause = exceeded
			break
		}
		offset, rest = offset+int64(len(part)), rest[len(part):]
	}
	return note, k.finish(ctx, owner, source, cause)
}

// keepChunk keeps a part of a log, unless that would exceed a limit.
func (k *KubeletLogs) keepChunk(ctx context.Context, chunk archive.NewChunk) (exceeded string, err error) {
	run, all, err := k.Store.Usage(ctx, chunk.Namespace, chunk.UID)
	if err != nil {
		return "", err
	}
	if exceeded = k.Limits.exceeded(run, all, chunk); exceeded != "" {
		return exceeded, nil
	}
	_, err = k.Keeper.Keep(ctx, chunk, blobs.Pack(chunk.Data))
	if err == nil {
		k.Metrics.kept(len(chunk.Data))
	}
	return "", err
}

// finish counts in what was pushed beyond a gap that the log has filled, and notes why the stream was cut, if it was.
func (k *KubeletLogs) finish(ctx context.Context, owner archive.Owner, source archive.Source, cause string) error {
	state, err := k.Store.Stream(ctx, owner.UID, owner.Attempt, outputStream)
	if err == nil {
		_, err = k.Keeper.Advance(ctx, state, maxAdvance)
	}
	if err != nil && !errors.Is(err, archive.ErrNotFound) {
		return fmt.Errorf("reading what is kept of the output: %w", err)
	}
	if cause == "" {
		return nil
	}
	if err := k.Store.SetCut(ctx, owner, outputStream, source, cause); err != nil {
		return fmt.Errorf("noting that the log was cut: %w", err)
	}
	return nil
}

// maxAdvance is how many chunks may have been pushed beyond a gap that a log has filled.
const maxAdvance = 10_000

// tailSize is how much of what is kept has to be found in a log, so that what follows it there follows it here.
const tailSize = 4096

// continuation says what of a log is not kept, and its offset in the stream. tail is the end of what is kept from the beginning on. The
// beginning of the log may be missing: a kubelet keeps the last part only. ok is false if the log does not show where to go on.
func continuation(state archive.StreamState, tail, log []byte) (offset int64, rest []byte, ok bool) {
	if state.Stored == 0 {
		return 0, log, true
	}
	offset = state.Length
	if offset == 0 {
		return 0, log, isWhole(state, log)
	}
	if begin := offset - int64(len(tail)); begin+int64(len(tail)) <= int64(len(log)) && bytes.Equal(log[begin:offset], tail) {
		return offset, withinEnd(state, log[offset:]), true
	}
	first := bytes.Index(log, tail)
	if first < 0 || first != bytes.LastIndex(log, tail) {
		return 0, nil, false
	}
	return offset, withinEnd(state, log[first+len(tail):]), true
}

// isWhole says whether a log is what the End says of the stream.
func isWhole(state archive.StreamState, log []byte) bool {
	sum := sha256.Sum256(log)
	return state.Wanted == int64(len(log)) && state.SHA256 == hex.EncodeToString(sum[:])
}

// withinEnd leaves out what is beyond the length that the End says.
func withinEnd(state archive.StreamState, rest []byte) []byte {
	if state.Wanted < 0 {
		return rest
	}
	return rest[:min(int64(len(rest)), max(0, state.Wanted-state.Length))]
}

// tailOf reads the end of what is kept of the output from its beginning on.
func (k *KubeletLogs) tailOf(ctx context.Context, attempt archive.UnsettledAttempt, state archive.StreamState) ([]byte, error) {
	from := max(0, state.Length-tailSize)
	var tail []byte
	for at := from; at < state.Length; {
		chunks, err := k.Store.Chunks(ctx, attempt.UID, attempt.Attempt.Number, outputStream, at, 1)
		if err != nil || len(chunks) == 0 || chunks[0].Offset > at || chunks[0].Offset+chunks[0].Length <= at {
			return nil, fmt.Errorf("reading which blobs hold the output: %w", errors.Join(err, errNoBlob))
		}
		plain, err := k.Keeper.read(ctx, chunks[0])
		if err != nil {
			return nil, err
		}
		end := min(chunks[0].Offset+chunks[0].Length, state.Length)
		tail = append(tail, plain[at-chunks[0].Offset:end-chunks[0].Offset]...)
		at = end
	}
	return tail, nil
}

var errNoBlob = errors.New("no blob holds it")
