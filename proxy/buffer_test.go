package proxy_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"doorward/proxy"
)

// Whatever is done to a buffer, the bytes in it are those that were pushed and
// not taken.
func TestBufferKeepsWhatIsInIt(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		b := proxy.NewBuffer(1 + r.IntN(64))
		var want []byte
		for range 200 {
			switch r.IntN(4) {
			case 0:
				p := make([]byte, r.IntN(100))
				for i := range p {
					p[i] = byte(r.Uint32())
				}
				b.Push(p)
				want = append(want, p...)
			case 1:
				n := r.IntN(len(want) + 1)
				b.Take(n)
				want = want[n:]
			case 2:
				b.Discard()
				if b.Room() != b.Size()-len(want) {
					t.Fatalf("%d bytes of %d and room for %d", len(want), b.Size(), b.Room())
				}
			case 3:
				room := b.Room()
				b.Grow(1 << 10)
				if len(want) > 0 && b.Room() < room {
					t.Fatal("growing took room away")
				}
			}
			if !bytes.Equal(b.Bytes(), want) {
				t.Fatalf("the buffer has %x, want %x", b.Bytes(), want)
			}
		}
	}
}

// A head may have as many bytes as its limit; the buffer grows to that and a
// little more, in few steps.
func TestBufferGrowsToTheLimit(t *testing.T) {
	const limit = 32 << 10
	b := proxy.NewBuffer(4 << 10)
	steps := 0
	for ; len(b.Bytes()) < limit; steps++ {
		b.Push(make([]byte, b.Room()))
		b.Grow(limit)
		if b.Room() == 0 {
			t.Fatal("no room after growing")
		}
	}
	if steps > 4 || b.Size() > limit+16<<10 {
		t.Errorf("%d bytes after %d steps", b.Size(), steps)
	}
}

// A buffer that one exchange made large is not kept for all that follow.
func TestBufferShrinks(t *testing.T) {
	for size, want := range map[int]int{4 << 10: 4 << 10, 64 << 10: 64 << 10, 64<<10 + 1: 4 << 10} {
		b := proxy.NewBuffer(size)
		b.Push([]byte("x"))
		b.Shrink(4 << 10)
		if b.Size() != want || len(b.Bytes()) != 0 {
			t.Errorf("a buffer of %d bytes has %d, with %q in it", size, b.Size(), b.Bytes())
		}
	}
}
