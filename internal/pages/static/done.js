"use strict";
// The stage is passed: tell whoever opened this page.
if (typeof window.onAuthDone === "function") {
	window.onAuthDone();
} else if (window.opener && typeof window.opener.postMessage === "function") {
	window.opener.postMessage("authDone", "*");
}
