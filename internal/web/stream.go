package web

import (
	"fmt"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
)

// Completeness says how much of a stream is kept.
type Completeness string

// How much of a stream is kept.
const (
	// Complete means that all of it is kept, as the runner wrote it: length and SHA-256 agree.
	Complete Completeness = "complete"
	// Growing means that the attempt has not ended, and more is to come.
	Growing Completeness = "growing"
	// Unverified means that nothing is known to be missing, but nobody said how much there should be.
	Unverified Completeness = "unverified"
	// Partial means that something is missing.
	Partial Completeness = "partial"
	// Altered means that all of it is kept, and is something else than what the runner wrote.
	Altered Completeness = "altered"
	// Expired means that it was kept, and was deleted by its retention.
	Expired Completeness = "expired"
	// None means that nothing was ever kept.
	None Completeness = "none"
)

// Stream says what is kept of a stream.
type Stream struct {
	Completeness Completeness `json:"completeness" enum:"complete,growing,unverified,partial,altered,expired,none" doc:"How much of it is kept: complete (length and SHA-256 are those that the runner told), growing (the attempt has not ended), unverified (nothing is known to be missing, but nobody told how much there should be), partial (something is missing), altered (it is something else than what the runner told), expired (deleted by its retention), none (nothing was ever kept)."`
	Reasons      []string     `json:"reasons,omitempty" doc:"Why something is missing, in words."`
	Source       string       `json:"source,omitempty" doc:"Where it comes from: runner (pushed while the test ran), kubelet (read from the pod's log), or status (of the object; bounded)."`
	Stored       int64        `json:"stored" doc:"How many bytes are kept."`
	Length       *int64       `json:"length,omitempty" doc:"How many bytes there should be, if that is known."`
	SHA256       string       `json:"sha256,omitempty" doc:"The SHA-256 that the runner told, in hex."`
	Gaps         []Gap        `json:"gaps,omitempty" doc:"The parts that are missing. At most 100 are listed."`
	Expired      *time.Time   `json:"expired,omitempty" doc:"When it was deleted by its retention."`
}

// streamOf says what is kept of a stream of an attempt; state is nil if nothing is. live means that more may come.
func streamOf(state *archive.StreamState, live bool) Stream {
	if state == nil {
		if live {
			return Stream{Completeness: Growing}
		}
		return Stream{Completeness: None, Reasons: []string{"Nothing of it was ever pushed to the server, and nothing was found in the pod's log."}}
	}
	stream := Stream{Source: string(state.Source), Stored: state.Stored, SHA256: state.SHA256, Expired: at(state.Expired)}
	if state.Wanted >= 0 {
		stream.Length = &state.Wanted
	}
	for _, gap := range state.Gaps {
		stream.Gaps = append(stream.Gaps, Gap(gap))
	}
	if state.Cut != "" {
		stream.Reasons = append(stream.Reasons, state.Cut)
	}
	var reason string
	stream.Completeness, reason = completeness(state, live)
	if reason != "" {
		stream.Reasons = append(stream.Reasons, reason)
	}
	return stream
}

func completeness(state *archive.StreamState, live bool) (how Completeness, reason string) {
	switch {
	case !state.Expired.IsZero():
		return Expired, ""
	case state.Altered:
		return Altered, "What is kept is as long as the runner told, but has another SHA-256."
	case state.Verified:
		return Complete, ""
	case state.Source == archive.FromStatus:
		return Partial, "Only what the run's status holds is known: the runner pushed nothing."
	case state.Wanted > state.Stored:
		return Partial, fmt.Sprintf("%d of %d bytes never arrived.", state.Wanted-state.Stored, state.Wanted)
	case state.Cut != "", len(state.Gaps) > 0 && !live:
		return Partial, ""
	case live:
		return Growing, ""
	case state.Source == archive.FromKubelet:
		return Unverified, "It was read from the pod's log. Whether the kubelet had discarded an older part by then is not known."
	case state.Wanted < 0:
		return Partial, "The runner did not tell how it ends: it was killed, or could not reach the server. What came last may be missing."
	default:
		return Unverified, "The server has not compared it with the runner's SHA-256 yet."
	}
}
