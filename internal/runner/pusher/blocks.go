//go:build linux

package pusher

import (
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sys/unix"
)

// The sizes of what is kept in memory, in bytes.
const (
	// maxPacked is how much is kept that the server has not taken yet, compressed. The runner may take up 12 MiB in all, and all of it counts
	// against the test's limit.
	maxPacked = 3 << 19
	// blockSize is the size of a block of that.
	blockSize = 16 << 10
	// stageOutput and stageCases are how much of the two streams is collected before it is compressed.
	stageOutput = 256 << 10
	stageCases  = 64 << 10
)

// memory is where output waits until it has been pushed. It is not on Go's heap: the garbage collector lets the heap grow to twice of what is
// in use, and this would count twice.
type memory struct {
	free [][]byte
	// total is how many blocks there are.
	total int
	// zip is the only compressor.
	zip *gzip.Writer
}

// newMemory returns memory, and further pieces of memory of the given sizes.
func newMemory(sizes ...int) (*memory, [][]byte, error) {
	all := maxPacked
	for _, size := range sizes {
		all += size
	}
	region, err := unix.Mmap(-1, 0, all, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, err
	}
	m := &memory{total: maxPacked / blockSize}
	for i := range m.total {
		m.free = append(m.free, region[i*blockSize:(i+1)*blockSize:(i+1)*blockSize])
	}
	rest := region[maxPacked:]
	pieces := make([][]byte, len(sizes))
	for i, size := range sizes {
		pieces[i], rest = rest[:0:size], rest[size:]
	}
	// It takes a quarter of the processor time of compress/gzip, and the result is 2 or 3 percent larger.
	if m.zip, err = gzip.NewWriterLevel(io.Discard, gzip.StatelessCompression); err != nil {
		return nil, nil, err
	}
	return m, pieces, nil
}

// pack compresses bytes into one gzip member. It returns nil if that would leave fewer free blocks than are reserved.
func (m *memory) pack(plain []byte, reserved int) *packed {
	p := &packed{from: m, reserved: reserved}
	m.zip.Reset(p)
	_, err := m.zip.Write(plain)
	if err = errors.Join(err, m.zip.Close()); err != nil {
		p.release()
		return nil
	}
	return p
}

var errNoRoom = errors.New("there is no room")

// packed is a compressed piece of a stream.
type packed struct {
	from     *memory
	reserved int
	blocks   [][]byte
	size     int
}

// Write appends to it. It fails if there is no room.
func (p *packed) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		used := p.size % blockSize
		if used == 0 {
			last := len(p.from.free) - 1
			if last < p.reserved {
				return n - len(b), errNoRoom
			}
			p.blocks = append(p.blocks, p.from.free[last])
			p.from.free = p.from.free[:last]
		}
		copied := copy(p.blocks[len(p.blocks)-1][used:], b)
		p.size += copied
		b = b[copied:]
	}
	return n, nil
}

// release gives the blocks back. Nobody may read them any more.
func (p *packed) release() {
	p.from.free = append(p.from.free, p.blocks...)
	p.blocks, p.size = nil, 0
}

// reader returns what reads it from its beginning.
func (p *packed) reader() io.Reader { return &reader{of: p} }

type reader struct {
	of *packed
	at int
}

func (r *reader) Read(b []byte) (int, error) {
	if r.at == r.of.size {
		return 0, io.EOF
	}
	block := r.of.blocks[r.at/blockSize]
	n := copy(b, block[r.at%blockSize:min(blockSize, r.of.size-r.at/blockSize*blockSize)])
	r.at += n
	return n, nil
}
