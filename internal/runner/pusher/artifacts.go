//go:build linux

package pusher

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/runner/folder"
)

// Limits for the artifacts. What is beyond them is left out, and said.
const (
	// maxFiles is how many files are pushed.
	maxFiles = push.MaxStreams - 2
	// maxFileSize and maxFilesSize are how large a file may be, and all of them together, in bytes.
	maxFileSize  = 64 << 20
	maxFilesSize = 256 << 20
	// maxPath is how long the path of a file may be, and maxPaths how long all of them together: the last message has them.
	maxPath  = 1 << 10
	maxPaths = 256 << 10
)

// artifacts pushes the files in a folder.
type artifacts struct {
	*Pusher
	ctx  context.Context //nolint:containedctx // it lives as long as one call
	in   *folder.Folder
	ends []push.StreamEnd
	// size is how long the files are together, and paths their paths.
	size, paths int64
}

// pushArtifacts pushes the files that the test has left, and returns what they are.
func (p *Pusher) pushArtifacts(ctx context.Context) []push.StreamEnd {
	if p.artifacts == "" || ctx.Err() != nil {
		return nil
	}
	in, err := folder.Open(p.artifacts)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			p.leaveOut("the artifacts: %v", err)
		}
		return nil
	}
	defer in.Close()
	a := &artifacts{Pusher: p, ctx: ctx, in: in}
	in.IsPlain = func(_ string, kind fs.FileMode) bool { return !kind.IsDir() }
	in.Unreadable = func(name string, err error) { p.leaveOut("the artifacts in the folder %s: %v", name, err) }
	in.Full = func() { p.leaveOut("artifacts: there are more than %d files and folders", folder.MaxEntries) }
	a.walk(".", 0)
	return a.ends
}

func (p *Pusher) leaveOut(format string, a ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missing.add(format, a...)
}

func (a *artifacts) walk(name string, depth int) {
	if depth > folder.MaxDepth {
		a.leaveOut("the artifacts in the folder %s: folders nest deeper than %d", name, folder.MaxDepth)
		return
	}
	a.in.Each(name, true, func(entry string, _ fs.FileMode) { a.file(entry) })
	a.in.Each(name, false, func(entry string, _ fs.FileMode) { a.walk(entry, depth+1) })
}

// file pushes a file. A link counts as the file that it leads to, if that is in the folder.
func (a *artifacts) file(name string) {
	switch {
	case a.ctx.Err() != nil:
		return
	case isClosed(a.hurry):
		a.leaveOut("the artifact %s: the time was over", name)
		return
	case len(a.ends) == maxFiles:
		a.leaveOut("the artifact %s: there are more than %d", name, maxFiles)
		return
	case len(name) > maxPath || !utf8.ValidString(name) || a.paths+int64(len(name)) > maxPaths:
		a.leaveOut("the artifact %s: its path is too long, or is not UTF-8, or all paths together are too long", name)
		return
	}
	file, info, err := a.in.File(name)
	if err != nil {
		a.leaveOut("the artifact %s: %v", name, err)
		return
	}
	defer file.Close()
	if info.Size() > maxFileSize || a.size+info.Size() > maxFilesSize {
		a.leaveOut("the artifact %s: it has %d bytes, and may have %d, and all together %d", name, info.Size(), maxFileSize, maxFilesSize)
		return
	}
	a.size += info.Size()
	a.paths += int64(len(name))
	a.push(name, file)
}

// push pushes a file as it is when it is read: a process outside of the container may still write to it.
func (a *artifacts) push(name string, file *os.File) {
	s := newStream(push.Stream{Kind: push.Artifact, Path: name}, a.output.staged[:0])
	content := io.LimitReader(file, maxFileSize)
	for {
		n, err := io.ReadFull(content, s.staged[:cap(s.staged)])
		if n > 0 {
			s.stageRead(n)
			a.chunk(s)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				a.leaveOut("the artifact %s, from byte %d on: %v", name, s.length, err)
			}
			break
		}
	}
	a.ends = append(a.ends, s.end())
}

// chunk pushes what is staged of a file. In vain, that becomes a gap.
func (a *artifacts) chunk(s *stream) {
	a.mu.Lock()
	s.pack(a.memory)
	a.mu.Unlock()
	if len(s.queue) == 0 {
		return
	}
	_ = a.insist(a.ctx, func() error { return a.pushFirst(a.ctx, s.queue[0]) }) // the gaps say it
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(s.queue) > 0 {
		s.drop()
	}
}
