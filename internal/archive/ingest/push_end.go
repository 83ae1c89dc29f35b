package ingest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

func (p *Push) takeProgress(w http.ResponseWriter, r *http.Request, owner archive.Owner) error {
	var progress push.Progress
	if err := readMessage(w, r, maxProgress, &progress); err != nil {
		return err
	}
	if progress.Done < 0 || progress.Failed < 0 || progress.Failed > progress.Done || progress.Total < 0 {
		return invalid(fmt.Errorf("no test can have come so far: done %d, failed %d, of %d", progress.Done, progress.Failed, progress.Total))
	}
	return p.progress.add(archive.AttemptProgress{Owner: owner, Progress: progress})
}

// takeEnd stores the End, and then sees to it that each stream is put together as far as it can be. Until it is, the runner pushes the End
// again.
func (p *Push) takeEnd(ctx context.Context, w http.ResponseWriter, r *http.Request, owner archive.Owner) error {
	var end push.End
	if err := readMessage(w, r, push.MaxMessage, &end); err != nil {
		return err
	}
	if err := checkEnd(&end); err != nil {
		return invalid(err)
	}
	ctx, cancel := p.storing(ctx)
	defer cancel()
	if err := p.progress.write(ctx, owner); err != nil {
		return err
	}
	states, err := p.store.SetEnd(ctx, owner, end)
	if err != nil {
		return err
	}
	for _, state := range states {
		switch _, err := p.keeper.Advance(ctx, state, archive.MaxChunks); {
		case errors.Is(err, errUnreadable): // pushing again does not help
			p.log.Error("A stream cannot be checked", "uid", owner.UID, "attempt", owner.Attempt, "kind", state.Kind, "path", state.Path, "error", err)
		case err != nil:
			return err
		}
	}
	return nil
}

const (
	// maxMissing is how long a text about what is missing is at most.
	maxMissing = 512
	// maxLength is far beyond what is ever kept, and far from where adding overflows.
	maxLength = 1 << 50
)

// checkEnd says what is wrong with an End, and cuts what is too long in it.
func checkEnd(end *push.End) error {
	if len(end.Streams) > push.MaxStreams {
		return fmt.Errorf("there are %d streams: an attempt has at most %d", len(end.Streams), push.MaxStreams)
	}
	seen := make(map[push.Stream]bool, len(end.Streams))
	for i := range end.Streams {
		stream := push.Stream{Kind: end.Streams[i].Kind, Path: end.Streams[i].Path}
		if !stream.IsValid() || seen[stream] {
			return fmt.Errorf("stream %d cannot be, or comes twice: %s %q", i+1, stream.Kind, stream.Path)
		}
		seen[stream] = true
		if err := checkStreamEnd(&end.Streams[i]); err != nil {
			return fmt.Errorf("stream %d, %s %q: %w", i+1, stream.Kind, stream.Path, err)
		}
	}
	end.Missing = end.Missing[:min(len(end.Missing), push.MaxMissing)]
	for i, text := range end.Missing {
		end.Missing[i] = results.Cut(text, maxMissing)
	}
	return nil
}

func checkStreamEnd(end *push.StreamEnd) error {
	if end.Length < 0 || end.Length > maxLength {
		return fmt.Errorf("it is %d bytes long", end.Length)
	}
	if sum, err := hex.DecodeString(end.SHA256); err != nil || len(sum) != 32 || strings.ToLower(end.SHA256) != end.SHA256 {
		return errors.New("its SHA-256 has to be 64 digits of lower-case hex")
	}
	for _, gap := range end.Gaps {
		if gap.Offset < 0 || gap.Length < 1 || gap.Offset > end.Length || gap.Length > end.Length-gap.Offset {
			return fmt.Errorf("it has no gap of %d bytes at %d", gap.Length, gap.Offset)
		}
	}
	end.Gaps = end.Gaps[:min(len(end.Gaps), archive.MaxGaps)]
	return nil
}
