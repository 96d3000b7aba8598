package app

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// What is open is looked at as often as needed: when the first ends, and then when those
// do of whom that look told.
func TestCurfewStrikesWhenTheFirstTokenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, looks := time.Now(), []time.Duration{}
		ends := []time.Duration{time.Hour, time.Minute, 2 * time.Minute, time.Minute}
		var c *curfew
		tell := func() {
			for _, end := range ends {
				if at := began.Add(end); time.Now().Before(at) {
					c.until(at)
				}
			}
		}
		c = &curfew{log: zap.NewNop(), review: func() {
			looks = append(looks, time.Since(began))
			tell()
		}}
		c.until(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
		tell()
		<-time.After(30 * time.Minute)
		synctest.Wait()
		if len(looks) != 2 || looks[0] != time.Minute || looks[1] != 2*time.Minute {
			t.Errorf("looked at %v", looks)
		}
		c.close()
		c.until(began.Add(31 * time.Minute))
		<-time.After(time.Hour)
		if len(looks) != 2 {
			t.Errorf("looked after the end, at %v", looks)
		}
	})
}
