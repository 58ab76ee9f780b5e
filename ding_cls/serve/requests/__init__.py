"""From a request to images and back: who may ask, what a body holds, what an answer says, what is counted.

It must not know when the network is asked.
"""
