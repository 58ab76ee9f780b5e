"""Tests of several processes; a package, so that its helper ``ranks`` can be imported."""
