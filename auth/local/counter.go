package local

import "time"

// strikes is how often guessing failed for one user.
type strikes struct {
	count int
	last  time.Time // of the last one, or of the last that was forgotten
	until time.Time // no attempt is let through before
}

func (s *strikes) blocked(now time.Time) bool { return now.Before(s.until) }

// add counts a failure; one too many begins a wait, each twice as long.
func (s *strikes) add(now time.Time, l Limits) {
	s.count++
	s.last = now
	if over := s.count - l.Failures; over >= 0 {
		s.until = now.Add(min(time.Second<<min(over, 30), l.MaxWait))
	}
}

// back takes one failure back. Others may have been counted meanwhile, whose wait
// stays; with none it is as before.
func (s *strikes) back(before strikes) {
	s.count = max(0, s.count-1)
	if s.count == before.count {
		s.last, s.until = before.last, before.until
	}
}

// fade forgets one failure per MaxWait without any, after the wait is over.
func (s *strikes) fade(now time.Time, l Limits) {
	since := s.last
	if s.until.After(since) {
		since = s.until
	}
	quiet := now.Sub(since)
	if s.count == 0 || quiet < l.MaxWait {
		return
	}
	s.count = max(0, s.count-int(min(quiet/l.MaxWait, time.Duration(s.count))))
	s.last = now
}

// bucket counts failures of a network in this minute and this hour.
type bucket struct {
	minute, hour       time.Time // when they began
	perMinute, perHour int
}

func (b *bucket) turn(now time.Time) {
	if now.Sub(b.minute) >= time.Minute {
		b.minute, b.perMinute = now, 0
	}
	if now.Sub(b.hour) >= time.Hour {
		b.hour, b.perHour = now, 0
	}
}

// wait is how long no attempt is let through.
func (b *bucket) wait(now time.Time, l Limits, share int) time.Duration {
	var wait time.Duration
	if b.perMinute >= l.PerMinute*share {
		wait = b.minute.Add(time.Minute).Sub(now)
	}
	if b.perHour >= l.PerHour*share {
		wait = max(wait, b.hour.Add(time.Hour).Sub(now))
	}
	return wait
}

func (b *bucket) add(n int) {
	b.perMinute = max(0, b.perMinute+n)
	b.perHour = max(0, b.perHour+n)
}
