package results

import "bytes"

// MaxLine is how much of a line Lines keeps, in bytes.
const MaxLine = 64 << 10

// Lines cuts a stream that is written to it into lines, in constant memory.
type Lines struct {
	// Each is called with each line, without its line end (LF or CR LF). Of a line longer than MaxLine it gets the beginning.
	// The line is valid during the call only.
	Each func(line []byte)

	// begun is a line whose end has not been seen.
	begun []byte
}

// Write never fails.
func (l *Lines) Write(p []byte) (int, error) {
	n := len(p)
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			l.keep(p)
			return n, nil
		}
		if len(l.begun) == 0 {
			l.give(p[:min(end, MaxLine)])
		} else {
			l.keep(p[:end])
			l.Close()
		}
		p = p[end+1:]
	}
}

// Close ends the last line, if it has not been ended.
func (l *Lines) Close() {
	if len(l.begun) > 0 {
		l.give(l.begun)
		l.begun = l.begun[:0]
	}
}

func (l *Lines) keep(p []byte) {
	l.begun = append(l.begun, p[:min(len(p), MaxLine-len(l.begun))]...)
}

func (l *Lines) give(line []byte) { l.Each(bytes.TrimSuffix(line, []byte("\r"))) }
