package web

import (
	"context"
	"mime"
	"net/http"
	"path"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
)

// Artifact is a file that a test left.
type Artifact struct {
	Path string `json:"path" doc:"Below $TESTRUN_ARTIFACTS."`
	Stream
}

// ArtifactList is a page of artifacts, by path.
type ArtifactList struct {
	Attempt int32      `json:"attempt"`
	Missing []string   `json:"missing,omitempty" doc:"What was left out altogether, and why."`
	Items   []Artifact `json:"items" nullable:"false"`
	Page
}

type (
	artifactsInput struct {
		OfAttempt
		Paged
	}
	artifactsOutput struct{ Body ArtifactList }
	artifactPlace   struct {
		Path string `json:"p"`
	}
)

type artifactInput struct {
	OfAttempt
	Part
	Path    string `query:"path" required:"true" minLength:"1" maxLength:"4096" doc:"The path of the file, as it is listed."`
	Partial bool   `query:"partial" doc:"Answer also if the file is partial or altered."`
}

func (s *server) registerArtifacts(api huma.API) {
	ofRun(s, api, operation{
		id: "list-artifacts", path: "/artifacts", right: toArtifacts, summary: "The artifacts of a run",
		description: "The files that the test left below $TESTRUN_ARTIFACTS in one attempt, by path.",
	}, s.artifacts)
	ofRun(s, api, operation{
		id: "get-artifact", path: "/artifact", right: toArtifacts, summary: "An artifact of a run",
		description: "A file that the test left. It is answered to be saved, never to be shown as a page.",
		errors:      []int{http.StatusConflict, http.StatusGone, http.StatusRequestedRangeNotSatisfiable},
		change:      answersBytes(anyBytes, "The file. Its type is told for text, JSON and pictures only."),
	}, s.artifact)
}

func (s *server) artifacts(ctx context.Context, run archive.Run, input *artifactsInput) (*artifactsOutput, error) {
	var place artifactPlace
	if err := afterCursor(input.After, &place); err != nil {
		return nil, err
	}
	if !isText(place.Path) {
		return nil, afterCursor("!", nil)
	}
	attempt, err := s.attempt(ctx, run, input.Attempt)
	if err != nil {
		return nil, err
	}
	// Artifacts are the first kind of streams. What follows them ends the list.
	after := push.Stream{Kind: push.Artifact, Path: place.Path}
	states, more, err := s.store.Streams(ctx, run.UID, attempt.Number, after, input.Limit)
	if err != nil {
		return nil, err
	}
	output := &artifactsOutput{ArtifactList{Attempt: attempt.Number, Missing: attempt.Missing, Items: make([]Artifact, 0, len(states))}}
	for _, state := range states {
		if state.Kind != push.Artifact {
			more = false
			break
		}
		output.Body.Items = append(output.Body.Items, Artifact{state.Path, streamOf(&state, isLive(run, attempt))})
	}
	if n := len(output.Body.Items); more && n > 0 {
		output.Body.Next = cursor(artifactPlace{output.Body.Items[n-1].Path})
	}
	return output, nil
}

func (s *server) artifact(ctx context.Context, run archive.Run, input *artifactInput) (*huma.StreamResponse, error) {
	if !isText(input.Path) {
		return nil, errNothing
	}
	attempt, err := s.attempt(ctx, run, input.Attempt)
	if err != nil {
		return nil, err
	}
	state, err := s.find(ctx, run, attempt, push.Stream{Kind: push.Artifact, Path: input.Path})
	if err != nil {
		return nil, err
	}
	shown := streamOf(&state, isLive(run, attempt))
	if shown.Completeness != Complete && !input.Partial {
		return nil, huma.Error409Conflict("This file is " + string(shown.Completeness) + ": " + strings.Join(shown.Reasons, " ") +
			" Add partial=true to get what is kept of it.")
	}
	chosen, err := s.choose(ctx, state, shown, input.Part)
	if err != nil {
		return nil, err
	}
	return s.answer(ctx, chosen, false, func(h http.Header) {
		h.Set("Content-Type", typeOf(input.Path))
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(input.Path)}))
	}), nil
}

const anyBytes = "application/octet-stream"

// safeTypes are those that a browser runs nothing of, by the ending of the file's name. Anything else is bytes.
var safeTypes = map[string]string{
	".txt": "text/plain; charset=utf-8", ".log": "text/plain; charset=utf-8", ".json": "application/json",
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
}

func typeOf(name string) string {
	if known, ok := safeTypes[strings.ToLower(path.Ext(name))]; ok {
		return known
	}
	return anyBytes
}

// fileName is what a browser is told to call an artifact: no path, and nothing that cannot be seen.
func fileName(name string) string {
	clean := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || strings.ContainsRune(`"\/:`, r) {
			return '_'
		}
		return r
	}, path.Base(name))
	if strings.Trim(clean, ". ") == "" {
		return "artifact"
	}
	return clean
}
