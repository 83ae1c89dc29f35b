package admission

// heap is a binary heap. Its items know their index, so any item can be moved or removed in O(log n).
type heap[T any] struct {
	items []T
	// less says whether a comes before b. It is a total order, so that the same events always give the same decisions.
	less func(a, b T) bool
	// index returns where an item keeps its index: 1 is the first, 0 is not in the heap.
	index func(T) *int
}

// first returns the item that comes before all others, or the zero value of an empty heap.
func (h *heap[T]) first() T {
	if len(h.items) == 0 {
		var none T
		return none
	}
	return h.items[0]
}

func (h *heap[T]) len() int { return len(h.items) }

// keep puts x at its right place in the heap, or removes it if member is false.
func (h *heap[T]) keep(x T, member bool) {
	at := *h.index(x)
	switch {
	case member && at == 0:
		h.items = append(h.items, x)
		h.put(len(h.items)-1, x)
		h.up(len(h.items) - 1)
	case member:
		h.move(at - 1)
	case at > 0:
		h.remove(at - 1)
	}
}

func (h *heap[T]) remove(i int) {
	*h.index(h.items[i]) = 0
	var none T
	end := len(h.items) - 1
	last := h.items[end]
	h.items[end] = none
	h.items = h.items[:end]
	if i < end {
		h.put(i, last)
		h.move(i)
	}
}

func (h *heap[T]) put(i int, x T) {
	h.items[i] = x
	*h.index(x) = i + 1
}

func (h *heap[T]) move(i int) {
	x := h.items[i]
	h.up(i)
	h.down(*h.index(x) - 1)
}

func (h *heap[T]) up(i int) {
	x := h.items[i]
	for i > 0 && h.less(x, h.items[(i-1)/2]) {
		h.put(i, h.items[(i-1)/2])
		i = (i - 1) / 2
	}
	h.put(i, x)
}

func (h *heap[T]) down(i int) {
	x := h.items[i]
	for {
		child := 2*i + 1
		if child+1 < len(h.items) && h.less(h.items[child+1], h.items[child]) {
			child++
		}
		if child >= len(h.items) || !h.less(h.items[child], x) {
			break
		}
		h.put(i, h.items[child])
		i = child
	}
	h.put(i, x)
}
