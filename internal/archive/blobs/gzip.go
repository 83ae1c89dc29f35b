package blobs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// Pack makes a gzip member.
func Pack(data []byte) []byte {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	if _, err := zip.Write(data); err != nil {
		panic(err) // a buffer takes everything
	}
	if err := zip.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// Unpack returns what one gzip member holds. It has to hold length bytes, and nothing may follow it. No more than length bytes are ever
// unpacked.
func Unpack(packed []byte, length int64) ([]byte, error) {
	from := bytes.NewReader(packed)
	zip, err := gzip.NewReader(from)
	if err != nil {
		return nil, fmt.Errorf("it is no gzip: %w", err)
	}
	zip.Multistream(false)
	data := make([]byte, length)
	n, err := io.ReadFull(zip, data)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("it has %d bytes unpacked, or breaks off there: it should have %d", n, length)
	case err != nil:
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	// The end of the member says whether the checksum is right.
	switch n, err := zip.Read(make([]byte, 1)); {
	case n > 0:
		return nil, fmt.Errorf("it has more than %d bytes unpacked", length)
	case !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("it is damaged: %w", err)
	case from.Len() > 0:
		return nil, fmt.Errorf("%d bytes follow the gzip member: there may be none", from.Len())
	}
	return data, nil
}
