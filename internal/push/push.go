// Package push is what the runner and the server say to each other: the runner pushes what a test says while it runs, and the server keeps
// it. It needs only the standard library, since the runner is small.
//
// Everything that is pushed is a stream of bytes. An attempt has the stream of its output, the stream of its cases, and a stream for each
// artifact. A stream is pushed in chunks: gzip members (RFC 1952) of at most MaxChunk bytes before compression, each with its offset in the
// uncompressed stream. A chunk may be pushed again, and chunks may arrive in any order. What lies between two chunks is missing. Last comes
// the End, which says what there should be.
package push

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// Audience is that of the token by which a pod may push. The token is good for nothing else.
const Audience = "testrun-archive"

// TokenDir is where the token is in a test's container, and TokenFile its name.
const (
	TokenDir  = "/testrun-archive"
	TokenFile = TokenDir + "/token"
)

// MaxChunk is how many bytes of a stream a chunk has at most, uncompressed.
const MaxChunk = 1 << 20

// Root begins the path of every request.
const Root = "/push/v1/"

// The parameters of a chunk's request: where the chunk begins in its stream, and how long it is, both uncompressed.
const (
	ParamOffset = "offset"
	ParamLength = "length"
)

// Kind says what a stream holds.
type Kind string

// The kinds of streams.
const (
	// Output is what the test printed, both streams in the order in which they were written.
	Output Kind = "output"
	// Cases has a line of JSON for each case: see Case. A chunk of it holds whole lines.
	Cases Kind = "cases"
	// Artifact is a file that the test left.
	Artifact Kind = "artifact"
)

// Attempt names one execution.
type Attempt struct {
	Namespace, Name, UID string
	Number               int32
}

// Stream names a stream of an attempt.
type Stream struct {
	Kind Kind
	// Path is an artifact's: relative, with slashes, and without a dot segment. Others have none.
	Path string
}

// What a request is about, behind the attempt.
const (
	partProgress = "progress"
	partEnd      = "end"
)

// ChunkPath is the path and the query of the request, a PUT, that pushes a chunk of a stream.
func ChunkPath(attempt Attempt, stream Stream, offset, length int64) string {
	target := attempt.path() + string(stream.Kind)
	for segment := range strings.SplitSeq(stream.Path, "/") {
		if segment != "" {
			target += "/" + url.PathEscape(segment)
		}
	}
	return target + "?" + ParamOffset + "=" + strconv.FormatInt(offset, 10) + "&" + ParamLength + "=" + strconv.FormatInt(length, 10)
}

// ProgressPath is the path of the request, a PUT, that tells the Progress.
func ProgressPath(attempt Attempt) string { return attempt.path() + partProgress }

// EndPath is the path of the request, a PUT, that tells the End.
func EndPath(attempt Attempt) string { return attempt.path() + partEnd }

func (a Attempt) path() string {
	return fmt.Sprintf("%s%s/%s/%s/%d/", Root, url.PathEscape(a.Namespace), url.PathEscape(a.Name), url.PathEscape(a.UID), a.Number)
}

// Target is what a request is about. Exactly one of Stream, Progress and End is set.
type Target struct {
	Attempt Attempt
	// Stream, Offset and Length say which chunk it is.
	Stream         *Stream
	Offset, Length int64
	Progress, End  bool
}

// maxPath bounds an artifact's path, in bytes.
const maxPath = 1024

// ParseTarget reads a request's URL. Whatever it returns is safe to use as a key: no part of it is empty or leads out of its folder.
func ParseTarget(u *url.URL) (Target, error) {
	parts, err := partsOf(u)
	if err != nil {
		return Target{}, err
	}
	number, err := strconv.ParseInt(parts[3], 10, 32)
	if err != nil || number < 1 {
		return Target{}, fmt.Errorf("the attempt is %q: it is a number, counted from 1", parts[3])
	}
	target := Target{Attempt: Attempt{parts[0], parts[1], parts[2], int32(number)}}
	switch what, name := parts[4], path.Join(parts[5:]...); {
	case what == partProgress && name == "":
		target.Progress = true
	case what == partEnd && name == "":
		target.End = true
	default:
		target.Stream = &Stream{Kind(what), name}
		if !target.Stream.IsValid() {
			return Target{}, fmt.Errorf("nothing is pushed to %s", u.Path)
		}
		target.Offset, target.Length, err = chunkOf(u.Query())
	}
	return target, err
}

// partsOf are the parts of the path behind Root, at least five.
func partsOf(u *url.URL) ([]string, error) {
	rest, ok := strings.CutPrefix(u.EscapedPath(), Root)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) < 5 {
		return nil, errors.New("the path is not " + Root + "NAMESPACE/NAME/UID/ATTEMPT/WHAT")
	}
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil || plain == "" || plain == "." || plain == ".." || strings.ContainsAny(plain, "/\x00") {
			return nil, fmt.Errorf("the path has a part that cannot be: %q", part)
		}
		parts[i] = plain
	}
	return parts, nil
}

// IsValid says whether the stream can be pushed.
func (s Stream) IsValid() bool {
	if s.Kind == Artifact {
		return s.Path != "" && len(s.Path) <= maxPath && path.Clean("/"+s.Path) == "/"+s.Path && !strings.Contains(s.Path, "\x00")
	}
	return (s.Kind == Output || s.Kind == Cases) && s.Path == ""
}

func chunkOf(query url.Values) (offset, length int64, err error) {
	if offset, err = parameter(query, ParamOffset); err != nil {
		return 0, 0, err
	}
	length, err = parameter(query, ParamLength)
	if err == nil && (length < 1 || length > MaxChunk) {
		err = fmt.Errorf("a chunk has 1 to %d bytes, not %d", MaxChunk, length)
	}
	return offset, length, err
}

// maxOffset is far beyond what is ever kept, and far from where adding overflows.
const maxOffset = 1 << 50

func parameter(query url.Values, name string) (int64, error) {
	text := query.Get(name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > maxOffset {
		return 0, fmt.Errorf("%s is %q: it is a number of bytes", name, text)
	}
	return n, nil
}
