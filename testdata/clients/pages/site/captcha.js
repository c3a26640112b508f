"use strict";
// Behaves like the captchas there are: it brings a style and a frame, and leaves its
// answer in a field of the form.
const show = () => {
	const here = document.querySelector(".g-recaptcha");
	const style = document.createElement("style");
	style.textContent = ".captcha-frame { width: 302px; height: 76px; border: 1px solid gray }";
	document.head.append(style);
	const frame = document.createElement("iframe");
	frame.className = "captcha-frame";
	frame.title = "captcha";
	frame.src = document.querySelector("script[src*=captcha]").src.replace("captcha.js", "captcha.html");
	const answer = document.createElement("textarea");
	answer.name = "g-recaptcha-response";
	answer.style.display = "none";
	here.append(frame, answer);
	addEventListener("message", (event) => {
		if (event.source !== frame.contentWindow) return;
		answer.value = event.data + (here.dataset.sitekey === "site" ? "" : "?");
		frame.title = "captcha, solved";
	});
};
if (document.readyState === "loading") addEventListener("DOMContentLoaded", show);
else show();
