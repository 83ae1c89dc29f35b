package junit

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// filter reads a file for the XML decoder, which holds each text and tag in memory and stops at illegal characters. The filter
// shortens what is long, drops comments, processing instructions and document types, turns CDATA sections into plain text, and
// replaces characters that XML forbids. It reads one tag or text at a time, when the decoder has read the last one.
type filter struct {
	in *bufio.Reader
	// line is the line that has been read up to.
	line int
	// textLimit is how much of the next text is let through, in bytes; textSize is how much has been since the last tag.
	textLimit, textSize int
	// tagBegun is set when a < has been read.
	tagBegun bool

	out  []byte // what is let through
	read int    // how much of out has been read
	err  error  // what comes after out
	raw  []byte // what until returned
	tail []byte // the last bytes that until has read
}

func newFilter(r io.Reader) *filter {
	return &filter{in: bufio.NewReaderSize(r, bufferSize), line: 1, textLimit: maxText}
}

// ReadByte is what the decoder uses.
func (f *filter) ReadByte() (byte, error) {
	if f.read == len(f.out) {
		if err := f.fill(); err != nil {
			return 0, err
		}
	}
	b := f.out[f.read]
	f.read++
	return b, nil
}

// Read is there because the decoder asks for an io.Reader.
func (f *filter) Read(p []byte) (int, error) {
	if f.read == len(f.out) {
		if err := f.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, f.out[f.read:])
	f.read += n
	return n, nil
}

// fill reads until there is something to let through. A tag that breaks off is let through, and stays in out.
func (f *filter) fill() error {
	for f.err == nil {
		f.out, f.read = f.out[:0], 0
		f.err = f.next()
		if len(f.out) > 0 {
			return nil
		}
	}
	return f.err
}

// next reads a text and the < after it, or the rest of a tag or of other markup.
func (f *filter) next() error {
	f.tagBegun = !f.tagBegun
	if f.tagBegun {
		return f.text("<", true)
	}
	if err := f.markup(); !errors.Is(err, io.EOF) {
		return err
	}
	return io.ErrUnexpectedEOF
}

func (f *filter) markup() error {
	b, err := f.byte()
	switch {
	case err != nil:
		return err
	case b == '?':
		return f.skip("?>")
	case b != '!':
		f.textSize = 0
		return f.tag(b)
	}
	switch b, err = f.byte(); {
	case err != nil:
		return err
	case b == '-':
		if err := f.expect("-"); err != nil {
			return err
		}
		return f.skip("-->")
	case b == '[':
		if err := f.expect("CDATA["); err != nil {
			return err
		}
		return f.text("]]>", false)
	}
	return f.doctype()
}

// tag lets a tag through, from its first byte after the < to its >.
func (f *filter) tag(b byte) (err error) {
	f.out = append(f.out, '<', b)
	for b != '>' {
		if b, err = f.byte(); err != nil {
			return err
		}
		f.out = append(f.out, b)
		if b == '"' || b == '\'' {
			value, cut, err := f.until(string(b), maxText)
			f.pass(value, cut, true)
			if err != nil {
				return err
			}
			f.out = append(f.out, b)
		}
		if len(f.out) > maxTag {
			return errTagTooLong
		}
	}
	return nil
}

// text lets text through that stands before end. Comments and CDATA sections do not end a text.
func (f *filter) text(end string, references bool) error {
	text, cut, err := f.until(end, max(0, f.textLimit-f.textSize))
	f.pass(text, cut && len(text) > 0, references)
	f.textSize += len(text)
	return err
}

func (f *filter) skip(end string) error {
	_, _, err := f.until(end, 0)
	return err
}

// doctype skips a document type after its <! with all that it declares, so that no entity is ever expanded.
func (f *filter) doctype() error {
	quote := byte(0)
	for depth := 1; depth > 0; {
		b, err := f.byte()
		switch {
		case err != nil:
			return err
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case b == '"' || b == '\'':
			quote = b
		case b == '>':
			depth--
		case b == '<':
			nested, err := f.declaration()
			if err != nil {
				return err
			}
			depth += nested
		}
	}
	return nil
}

// declaration reads the beginning of a declaration inside a document type, after its <, and returns how much deeper that is.
// Comments and processing instructions it skips, because a quote in them is none.
func (f *filter) declaration() (int, error) {
	b, err := f.byte()
	switch {
	case err != nil:
		return 0, err
	case b == '?':
		return 0, f.skip("?>")
	case b != '!':
		return 0, errMalformed
	}
	if b, err = f.byte(); err != nil || b != '-' {
		return 1, err
	}
	return 0, f.skip("-->")
}

func (f *filter) byte() (byte, error) {
	b, err := f.in.ReadByte()
	if b == '\n' {
		f.line++
	}
	return b, err
}

func (f *filter) expect(text string) error {
	for i := range len(text) {
		if b, err := f.byte(); err != nil {
			return err
		} else if b != text[i] {
			return errMalformed
		}
	}
	return nil
}

// until reads up to end, of at most three bytes, and over it. It returns the first limit bytes of what is before end, less a
// character or reference that would be halved, and whether there was more. They are valid until the next call.
func (f *filter) until(end string, limit int) (text []byte, cut bool, err error) {
	f.raw, f.tail = f.raw[:0], f.tail[:0]
	size := 0
	for {
		piece, err := f.in.ReadSlice(end[len(end)-1])
		f.line += bytes.Count(piece, []byte("\n"))
		f.raw = append(f.raw, piece[:min(len(piece), limit+len(end)-len(f.raw))]...)
		f.tail = append(f.tail, piece[max(0, len(piece)-len(end)):]...)
		f.tail = f.tail[max(0, len(f.tail)-len(end)):]
		size += len(piece)
		if err == nil && string(f.tail) == end {
			size -= len(end)
		} else if err == nil || errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if text = f.raw[:min(size, limit, len(f.raw))]; len(text) < size {
			return whole(text), true, err
		}
		return text, false, err
	}
}
