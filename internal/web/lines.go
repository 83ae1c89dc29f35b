package web

import (
	"bytes"
	"context"
)

// maxLine is how many bytes of a line are shown.
const maxLine = 16 << 10

// line is a line of an output. A gap is a line of its own.
type line struct {
	number, offset int64
	// text is good until the next line is read. isCut means that the line is longer.
	text  []byte
	isCut bool
	// missing is how many bytes of the stream are missing in place of the line.
	missing int64
}

// linePlace is where a line begins.
type linePlace struct{ number, offset int64 }

// liner makes lines of bytes.
type liner struct {
	at linePlace
	// rest is the beginning of a line whose end has not come; length is that of all of it, which may be more than is kept here.
	rest   []byte
	length int64
	// each gets the lines until it returns false.
	each func(line) bool
}

// add adds bytes, and says whether to go on.
func (l *liner) add(data []byte) bool {
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			l.keep(data)
			return true
		}
		var more bool
		if l.length == 0 {
			more = l.tell(data[:end], int64(end)+1)
		} else {
			l.keep(data[:end])
			more = l.tell(l.rest, l.length+1)
		}
		if !more {
			return false
		}
		data = data[end+1:]
	}
	return true
}

func (l *liner) keep(data []byte) {
	l.rest = append(l.rest, data[:min(len(data), max(0, maxLine+1-len(l.rest)))]...)
	l.length += int64(len(data))
}

// tell tells of a line that takes so many bytes of the stream.
func (l *liner) tell(text []byte, length int64) bool {
	told := line{number: l.at.number, offset: l.at.offset, text: text, isCut: len(text) > maxLine}
	if told.isCut {
		told.text = text[:maxLine]
	}
	l.at = linePlace{l.at.number + 1, l.at.offset + length}
	l.rest, l.length = l.rest[:0], 0
	return l.each(told)
}

// gap tells of bytes that are missing.
func (l *liner) gap(length int64) bool {
	if !l.finish() {
		return false
	}
	told := line{number: l.at.number, offset: l.at.offset, missing: length}
	l.at = linePlace{l.at.number + 1, l.at.offset + length}
	return l.each(told)
}

// finish tells of a last line that no line break ends.
func (l *liner) finish() bool { return l.length == 0 || l.tell(l.rest, l.length) }

// lines calls each with the kept lines from a place on, until it returns false, and returns the place behind the last one.
func (k kept) lines(ctx context.Context, from linePlace, each func(line) bool) (linePlace, error) {
	l := liner{at: from, each: each}
	at, going := from.offset, true
	err := k.parts(ctx, from.offset, forever, func(p part) (bool, error) {
		if p.from > at {
			going = l.gap(p.from - at)
		}
		if !going {
			return false, nil
		}
		at = p.to
		var data bytes.Buffer
		if err := k.copyTo(ctx, &data, p); err != nil {
			return false, err
		}
		going = l.add(data.Bytes())
		return going, nil
	})
	if err == nil && going {
		l.finish()
	}
	return l.at, err
}
