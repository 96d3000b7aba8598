package page

import "strings"

// agent is a browser or program as people know it.
type agent struct {
	Text string
	Kind string // the icon: desktop, phone or terminal
}

// longestAgent is how much is shown of a User-Agent that nobody knows.
const longestAgent = 60

// Agent reads a User-Agent. That is guesswork by design: every browser claims to be
// most of the others, so the particular ones are asked for first.
func (s *sheet) Agent(raw string) agent {
	browser := firstOf(raw, [][2]string{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"},
		{"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"},
		{"Chrome/", "Chrome"}, {"Safari/", "Safari"},
	})
	system := firstOf(raw, [][2]string{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"},
		{"Windows", "Windows"}, {"Macintosh", "macOS"}, {"Linux", "Linux"},
	})
	kind := "desktop"
	switch system {
	case "iPhone", "iPad", "Android":
		kind = "phone"
	}
	switch {
	case browser != "" && system != "":
		return agent{s.Say("agent.on", "browser", browser, "system", system), kind}
	case browser != "":
		return agent{browser, kind}
	case raw == "":
		return agent{s.Say("agent.unknown"), "terminal"}
	}
	if runes := []rune(raw); len(runes) > longestAgent {
		raw = string(runes[:longestAgent]) + "…"
	}
	return agent{oneLine(raw), "terminal"}
}

// firstOf returns the name of the first mark that a text has.
func firstOf(text string, marks [][2]string) string {
	for _, m := range marks {
		if strings.Contains(text, m[0]) {
			return m[1]
		}
	}
	return ""
}
