package results

// Key identifies a case: a hash of its file, suite and name.
type Key uint64

// KeyOf returns the key of a case that these parts identify.
func KeyOf(parts ...string) Key {
	// FNV-1a. After each part comes a byte that UTF-8 never contains.
	h := uint64(14695981039346656037)
	for _, part := range parts {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	return Key(h)
}

// filterBits is the size of a filter. With 50,000 keys it is wrong about one key in a thousand, with 100,000 about one in a
// hundred.
const filterBits = 1 << 20

// filter is a Bloom filter. It recognizes every key that was added, and sometimes one that was not.
type filter struct{ bits []uint64 }

func (f *filter) add(key Key) {
	if f.bits == nil {
		f.bits = make([]uint64, filterBits/64)
	}
	for _, at := range places(key) {
		f.bits[at/64] |= 1 << (at % 64)
	}
}

func (f *filter) has(key Key) bool {
	if f.bits == nil {
		return false
	}
	for _, at := range places(key) {
		if f.bits[at/64]&(1<<(at%64)) == 0 {
			return false
		}
	}
	return true
}

func (f *filter) clear() { clear(f.bits) }

// places are the bits of a key, by double hashing.
func places(key Key) (places [4]uint64) {
	// The finalizer of SplitMix64 spreads keys that are alike.
	h := uint64(key)
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	h ^= h >> 31
	step := h>>32 | 1
	for i := range places {
		places[i] = (h + uint64(i)*step) % filterBits
	}
	return places
}
